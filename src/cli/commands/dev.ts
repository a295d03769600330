/**
 * `errand dev`: a cluster whose workers follow the code, and a command beside it.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import { watchApp } from '../cluster/app-watch.ts'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { type CommandBeside, startBeside } from '../cluster/command-beside.ts'
import type { MonitorBeside } from '../cluster/monitor-beside.ts'
import { createPrefixes } from '../cluster/prefixed-lines.ts'
import { type StopSignals, takeStopSignals } from '../cluster/stop-signals.ts'
import { findApp, refuseStack } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { environmentWith } from '../local-aws/local-aws.ts'
import { errorText, type Screen } from '../output/screen.ts'
import { readPorts } from '../typed-values.ts'
import { type BuildFolder, type BuiltApp, makeBuildFolder } from '../worker/built-app.ts'
import { type ClusterCommandOptions, monitorOf, readiness, tellVariables } from './cluster.ts'

/** Runs until it is told to end, or the command beside it has ended. */
export async function dev(
  screen: Screen,
  options: ClusterCommandOptions,
  ...command: string[]
): Promise<number> {
  refuseStack('dev', options)
  const session: Session = { screen, options, command, folder: makeBuildFolder() }
  const signals = takeStopSignals(() => {
    session.cluster?.kill()
    session.beside?.kill('SIGKILL')
    session.folder.remove()
  })
  try {
    return await run(session, signals)
  } finally {
    session.folder.remove()
    signals.release()
  }
}

interface Session {
  readonly screen: Screen
  readonly options: ClusterCommandOptions
  readonly command: readonly string[]
  readonly folder: BuildFolder
  cluster?: Cluster
  beside?: CommandBeside
  monitor?: MonitorBeside | undefined
  stopWatching?: () => Promise<void>
}

async function run(session: Session, signals: StopSignals): Promise<number> {
  const { screen } = session
  try {
    const first = signals.first.then((): number => EXIT.ok)
    const isUp = await Promise.race([follow(session), signals.first])
    const code = isUp === undefined ? await Promise.race([first, session.beside?.ended ?? first]) : EXIT.ok
    screen.say('errand: draining; Ctrl-C again ends it at once')
    // A terminal has told it already; whoever ends this process alone has not.
    session.beside?.kill('SIGTERM')
    await session.beside?.ended
    return code
  } finally {
    await session.stopWatching?.()
    await session.monitor?.close()
    await session.cluster?.drain()
  }
}

/** Starts at the first build, and goes on with each that follows; resolves once the first runs. */
async function follow(session: Session): Promise<void> {
  const { screen, options, folder } = session
  const app = findApp(options)
  const started = Promise.withResolvers<void>()
  session.stopWatching = watchApp({
    app,
    folder,
    async onBuilt(found, built) {
      if (session.cluster === undefined)
        return start(session, found, built).then(started.resolve, started.reject)
      reloaded(screen, await session.cluster.reload(found, built))
      await session.monitor?.follow(found, session.cluster.variables())
    },
    onFailed: (error) => {
      screen.say(
        `${errorText(error)}\nerrand: the code that ran before goes on; save the file again once it is corrected`,
      )
    },
    onEnded: (error) => {
      if (session.cluster === undefined) started.reject(error)
      else screen.say(`errand: ${errorText(error)}; start errand dev again to have them seen`)
    },
  })
  return started.promise
}

async function start(session: Session, app: DiscoveredApp, built: BuiltApp): Promise<void> {
  const { screen, options, command } = session
  const { name } = app.config
  const cluster = await startCluster({ app, built, prefix: createPrefixes(screen), ...readPorts(options) })
  session.cluster = cluster
  const variables = cluster.variables()
  tellVariables(screen, options, name, variables)
  session.monitor = monitorOf(screen, options, app, variables)
  if (command.length > 0) session.beside = await startBeside(command, environmentWith(process.env, variables))
  void cluster.ready.then((all) => screen.say(readiness(name, all)))
}

function reloaded(screen: Screen, failed: readonly string[]): void {
  screen.say(
    failed.length === 0
      ? 'errand: reloaded; calls that had begun end with the code that they began with'
      : `errand: ${failed.join(', ')} could not start with the new code (see above), and goes on with the old`,
  )
}
