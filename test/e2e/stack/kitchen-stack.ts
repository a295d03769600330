/**
 * Synthesises the kitchen: its fleet by the construct, and its web app as a client of it.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App, Duration, Stack } from 'aws-cdk-lib'
import { Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { ErrandFleet } from 'errand/cdk'
import { buildSync } from 'esbuild'

/** A folder as `cdk synth` writes it, and how to remove it. */
export interface Synthesis {
  readonly folder: string
  remove(): void
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** Synthesises the stack of one version of the app. */
export function synthesiseKitchen(version: 'errand.ts' | 'errand-next.ts'): Synthesis {
  const folder = mkdtempSync(join(tmpdir(), 'errand-kitchen-'))
  const outdir = join(folder, 'cdk.out')
  const app = new App({ outdir, analyticsReporting: false })
  const stack = new Stack(app, 'Kitchen')
  const fleet = new ErrandFleet(stack, 'Jobs', { app: path(`kitchen/${version}`) })
  const web = new LambdaFunction(stack, 'Web', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromAsset(bundleWeb(join(folder, 'web'))),
    memorySize: 256,
    timeout: Duration.seconds(10),
    loggingFormat: LoggingFormat.JSON,
  })
  fleet.addClient(web, { submit: true, read: true })
  app.synth()
  return { folder: outdir, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** As a user bundles a web app: nothing of the workers is in it. */
function bundleWeb(folder: string): string {
  buildSync({
    entryPoints: { index: path('kitchen/web.ts') },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: ['errand/local-emulator', '@aws-sdk/client-s3', '@aws-sdk/client-cloudwatch'],
    // The SDK's CommonJS parts ask for Node's modules by `require`.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  })
  return folder
}
