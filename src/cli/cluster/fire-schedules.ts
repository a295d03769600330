/**
 * Fires the schedules of a cluster: in the process that started it, once for all of its workers.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import { type ScheduleFiring, startSchedules } from '../../local-emulator/index.ts'
import { awsBackend } from '../../runtime/aws/aws-backend.ts'
import { LOOPBACK } from '../../runtime/aws/made-resources.ts'
import { ENV } from '../../runtime/config/config.ts'
import type { Backend } from '../../runtime/ports/backend.ts'
import { noticedSchedules } from '../../runtime/schedules/noticed-schedules.ts'
import type { LocalAws } from '../local-aws/local-aws.ts'

/** The schedules that fire. */
export interface ClusterSchedules {
  /** Fires those of this app, in place of those before. */
  use(app: DiscoveredApp): void
  stop(): Promise<void>
}

/** Fires none yet. */
export function fireSchedules(
  aws: LocalAws,
  { say }: { readonly say: (line: string) => void },
): ClusterSchedules {
  let firing: ScheduleFiring | undefined
  let backend: Backend | undefined
  const stop = async () => {
    firing?.stop()
    firing = undefined
    const last = backend
    backend = undefined
    await last?.close()
  }
  return {
    use(app) {
      void stop()
      if (app.schedules.length === 0) return
      backend = backendOf(app, aws)
      const { clock, entropy, queue, store } = backend
      firing = startSchedules({
        config: app.config,
        schedules: app.schedules,
        ...{ clock, entropy, queue, states: noticedSchedules(store) },
        onUnsent: ({ name }, error) => say(`${name} could not be fired: ${String(error)}`),
      })
    },
    stop,
  }
}

/** Without blobs and delays: it sends small messages that are due. */
function backendOf({ config }: DiscoveredApp, aws: LocalAws): Backend {
  const variables = aws.variables()
  const to = (endpoint: string | undefined) => ({
    ...(endpoint !== undefined && { endpoint }),
    credentials: LOOPBACK.credentials,
  })
  const { blobs: _, ...rest } = config
  return awsBackend(
    { ...rest, longDelays: false },
    {
      region: LOOPBACK.region,
      tableName: variables[ENV.table] ?? '',
      queueUrls: JSON.parse(variables[ENV.queueUrls] ?? '{}'),
      sqs: to(variables.AWS_ENDPOINT_URL_SQS),
      dynamodb: to(variables.AWS_ENDPOINT_URL_DYNAMODB),
    },
  )
}
