/**
 * What an `ErrandFleet` is given. What can be known before a deployment stands in the app's config, not here.
 *
 * Classes are named beside their interfaces because the CDK's do not fit those under `exactOptionalPropertyTypes`.
 * @module
 */
import type { RemovalPolicy } from 'aws-cdk-lib'
import type { ITable, ITableV2, Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { ISecurityGroup, IVpc, SubnetSelection, Vpc } from 'aws-cdk-lib/aws-ec2'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { ILayerVersion } from 'aws-cdk-lib/aws-lambda'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3'
import type { ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { RedactOptions } from '../src/monitor/redact-options.ts'

/** A queue that is there already, and where its dead letters go. */
export interface ExistingQueue {
  /** FIFO as the config says, and its visibility no less than the time-out of the workers that consume it. */
  readonly queue: IQueue
  /**
   * The queue that its redrive policy names; the fleet ends the calls that arrive there. Its visibility is 60 s at
   * least: Lambda refuses to have it consumed by a function that may take longer, and SQS's default is 30.
   * @default that of a `Queue` made in this CDK app; none for an imported one
   */
  readonly deadLetterQueue?: IQueue
}

/** What only a deployment knows of one worker; the rest is in the config. */
export interface WorkerProps {
  /** Variables of this worker, over the fleet's. @default none */
  readonly environment?: Readonly<Record<string, string>>
  /** Layers of this worker, after the fleet's. @default none */
  readonly layers?: readonly ILayerVersion[]
  /** Its security groups in the `vpc`. @default one is made */
  readonly securityGroups?: readonly ISecurityGroup[]
  /**
   * Whether its tasks may submit calls: `sqs:SendMessage` on all queues of the fleet. Follow-ups (`then`, `catch`)
   * of calls that it runs need it too. @default true
   */
  readonly submits?: boolean
}

/** From which value on an alarm rings. */
export interface AlarmThresholds {
  /** Age of a queue's oldest message, in seconds; back-offs and delays count. @default 3600 */
  readonly oldestMessageSeconds?: number
  /** Calls that SQS gave up on, in 5 minutes. @default 1 */
  readonly undeliverable?: number
  /** Invocations of one function that ended in an error (a crash, its time-out), in 5 minutes. @default 1 */
  readonly workerErrors?: number
  /** Invocations of one function that were throttled, in 5 minutes. @default 10 */
  readonly throttles?: number
  /** Messages that lie in a dead-letter queue for 15 minutes, though the fleet consumes it. @default 1 */
  readonly deadLetters?: number
}

/** Who is let into the monitor of a fleet. */
export type FleetMonitorAuth =
  /** Whoever may invoke its URL by IAM, and signs requests: `fleet.monitor.url.grantInvokeUrl(role)`. */
  | 'iam'
  /** Whoever knows the token that is the text of a secret, 32 characters or more: programs send it as a bearer, people type it in once. */
  | { readonly tokenSecret: ISecret | Secret }
  /**
   * Whom a function of the app's own lets in: a module, `path[:export]`, that exports an `authorize` as `monitor` of
   * `errand/monitor` takes it. Relative to the working directory.
   */
  | { readonly authorize: string }
  /** Anybody who knows the address. */
  | 'none'

/** The monitor of a fleet: a function of its own, behind a function URL. */
export interface FleetMonitorProps {
  /** Who is let in. */
  readonly auth: FleetMonitorAuth
  /** Whether whom it lets in may act: cancel, retry, pause, purge; its role is given what that takes. @default false */
  readonly manage?: boolean
  /** Whether arguments, results, progress and error messages are shown. Without, its role may not read large ones. @default true */
  readonly payloads?: boolean
  /** What is hidden of them, beside what always is. @default nothing */
  readonly redact?: RedactOptions
  /** How often anything is read again, and open pages ask, in seconds, 1–300. @default 10 */
  readonly refreshSeconds?: number
  /** How many of the newest calls its figures are made of, 100–10,000. @default 1000 */
  readonly lookAt?: number
  /** Its memory, and with it its share of a CPU, in MiB, 128–10,240. @default 512 */
  readonly memoryMiB?: number
}

/** What an `ErrandFleet` is given. */
export interface ErrandFleetProps {
  /** The module of the app's executor, `path[:export]`, relative to the working directory: `src/errand.ts`. */
  readonly app: string
  /** Variables of all functions of the fleet; not `ERRAND_…`, which the fleet sets. @default none */
  readonly environment?: Readonly<Record<string, string>>
  /** What only this deployment knows of a worker, by its name in the config. @default none */
  readonly workers?: Readonly<Record<string, WorkerProps>>
  /**
   * Where the workers run. It needs a way to SQS and DynamoDB: a NAT gateway, or endpoints. The dead-letter
   * function stays outside: it runs no task. @default no VPC
   */
  readonly vpc?: IVpc | Vpc
  /** Subnets of the `vpc`. @default its private ones */
  readonly vpcSubnets?: SubnetSelection
  /** A table that is there already, with errand's keys, indexes and time to live. @default one is made */
  readonly table?: ITable | ITableV2 | Table | TableV2
  /** Queues that are there already, by their names in the config. @default all are made */
  readonly queues?: Readonly<Record<string, IQueue | ExistingQueue>>
  /**
   * A bucket that is there already, where the config has `blobs`; give it a lifecycle rule of 30 days.
   * @default one is made where the config has `blobs`
   */
  readonly bucket?: IBucket | Bucket
  /** Modules that the bundle leaves out, since a layer has them. @default none */
  readonly externalModules?: readonly string[]
  /** Layers of all functions of the fleet, which share one bundle. @default none */
  readonly layers?: readonly ILayerVersion[]
  /** Files beside the bundle: paths in the function's folder, and the files or folders on disk. @default none */
  readonly files?: Readonly<Record<string, string>>
  /** Whether the bundle is minified. @default true */
  readonly minify?: boolean
  /** Alarms, and from when on they ring; each costs $0.10 a month. @default true */
  readonly alarms?: boolean | AlarmThresholds
  /** Whom alarms tell. @default nobody: they show in CloudWatch */
  readonly alarmTopic?: ITopic
  /** A page that shows what runs, waits and failed, and who may see it. @default none */
  readonly monitor?: FleetMonitorProps
  /** The key of the queues, the table and the bucket. @default keys of AWS's own, without charge */
  readonly encryptionKey?: IKey
  /**
   * What happens to queues, table, bucket and logs that leave the stack. `RETAIN` also protects the table against
   * deletion. @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy
  /** How long logs are kept. @default RetentionDays.ONE_MONTH */
  readonly logRetention?: RetentionDays
}

/** What `addClient` gives to a function. */
export interface ClientAccess {
  /** To submit calls. @default false */
  readonly submit?: boolean
  /** To read futures: states, progress and results. @default false */
  readonly read?: boolean
  /** To cancel, abort and retry by hand; holds the other two. @default false */
  readonly manage?: boolean
  /** To look: `status` and `inspect`. @default false */
  readonly inspect?: boolean
  /** To pause, resume and purge queues; holds `inspect`. @default false */
  readonly operate?: boolean
  /** To serve `errand/monitor`, read-only: `inspect`, failed calls, large payloads, metrics. Its actions take `manage` and `operate`. @default false */
  readonly monitor?: boolean
  /**
   * Whether it is deployed after the workers. False where a worker has to know something of the client, such as its URL:
   * then deploy a task before what submits it. @default true
   */
  readonly ordered?: boolean
}
