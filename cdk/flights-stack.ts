/**
 * The stack of the example app: the fleet of `examples/flights` with its monitor, and its web app behind a function URL
 * that streams. Both ask for IAM.
 * @module
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  FunctionUrlAuthType,
  InvokeMode,
  type Function as LambdaFunction,
  LoggingFormat,
  Runtime,
} from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { ErrandFleet } from 'errand/cdk'

const example = fileURLToPath(new URL('../examples/flights/', import.meta.url))
const root = fileURLToPath(new URL('../', import.meta.url))

/** The data lies beside the package's module. */
const data = join(createRequire(import.meta.url).resolve('vega-datasets'), '../../data/flights-200k.json')

/** The flights example: its fleet, and the web app that submits to it. */
export class FlightsStack extends Stack {
  readonly fleet: ErrandFleet
  readonly web: LambdaFunction

  constructor(scope: Construct, id: string, props: StackProps = {}) {
    super(scope, id, props)
    this.fleet = new ErrandFleet(this, 'Fleet', {
      app: join(example, 'src/errand.ts'),
      files: { 'flights-200k.json': data },
      monitor: { auth: 'iam', manage: true },
    })
    this.web = webFunction(this)
    // The page's Cancel button takes `manage`.
    this.fleet.addClient(this.web, { submit: true, read: true, manage: true })
    // Whoever calls it signs the request; add a site of your own in front of it, or another kind of authorisation.
    const url = this.web.addFunctionUrl({
      authType: FunctionUrlAuthType.AWS_IAM,
      invokeMode: InvokeMode.RESPONSE_STREAM,
    })
    new CfnOutput(this, 'WebUrl', { value: url.url })
  }
}

function webFunction(scope: Construct): NodejsFunction {
  const logGroup = new LogGroup(scope, 'WebLogs', { retention: RetentionDays.ONE_MONTH })
  const role = new Role(scope, 'WebRole', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
  role.addToPolicy(
    new PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    }),
  )
  return new NodejsFunction(scope, 'Web', {
    entry: join(example, 'lambda.ts'),
    projectRoot: root,
    depsLockFilePath: join(root, 'package-lock.json'),
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    memorySize: 512,
    timeout: Duration.seconds(29),
    role,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    bundling: {
      format: OutputFormat.ESM,
      mainFields: ['module', 'main'],
      minify: true,
      bundleAwsSDK: true,
      externalModules: [
        'errand/local-emulator',
        ...['s3', 'lambda', 'cloudwatch', 'scheduler'].map((service) => `@aws-sdk/client-${service}`),
      ],
      // The SDK's CommonJS parts ask for Node's modules by `require`.
      banner: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      commandHooks: {
        beforeInstall: () => [],
        beforeBundling: () => [],
        afterBundling: (_inputDir, outputDir) => [`cp -R "${join(example, 'page')}" "${outputDir}/page"`],
      },
    },
  })
}
