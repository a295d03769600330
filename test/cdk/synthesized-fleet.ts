/**
 * A fleet of a fixture app, synthesised: what the construct's tests ask questions of.
 * @module
 */
import { App, type AppProps, Stack } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { ErrandFleet, type ErrandFleetProps } from 'errand/cdk'

/** The apps under test/fixtures/cdk-app. */
export const apps = {
  /** Two workers, three queues of which one is FIFO, large payloads. */
  shop: 'test/fixtures/cdk-app/errand.ts',
  /** One queue, one worker, no listing, no bucket. */
  small: 'test/fixtures/cdk-app/small.ts',
  /** Schedules in the config and in code, and long delays. */
  scheduled: 'test/fixtures/cdk-app/scheduled.ts',
} as const

/** A stack with a fleet that is yet to be synthesised. */
export interface StackedFleet {
  readonly stack: Stack
  readonly fleet: ErrandFleet
}

/** A stack `Shop` with a fleet `Jobs`. */
export function stackFleet(
  props: Partial<ErrandFleetProps> | ((stack: Stack) => Partial<ErrandFleetProps>) = {},
  appProps: AppProps = {},
): StackedFleet {
  const stack = new Stack(new App({ builtinCloudFormationValidation: false, ...appProps }), 'Shop')
  const given = typeof props === 'function' ? props(stack) : props
  return { stack, fleet: new ErrandFleet(stack, 'Jobs', { app: apps.shop, ...given }) }
}

/** The template of such a stack. */
export function fleetTemplate(...args: Parameters<typeof stackFleet>): Template {
  return Template.fromStack(stackFleet(...args).stack)
}

/** The warnings of a stack, as `Shop/Jobs: text`. */
export function warningsOf({ stack }: StackedFleet): string[] {
  return Annotations.fromStack(stack)
    .findWarning('*', Match.anyValue())
    .map(({ id, entry }) => `${id.slice(1)}: ${entry.data}`)
}

/** A function of the user's, such as a web app. */
export function userFunction(stack: Stack, id = 'Web'): LambdaFunction {
  return new LambdaFunction(stack, id, {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => {}'),
  })
}

/** A resource of a template. */
export interface Resource {
  readonly Type: string
  // biome-ignore lint/suspicious/noExplicitAny: a template is JSON; what a test reads of it, it asserts.
  readonly Properties: Record<string, any>
  readonly DependsOn?: string | readonly string[]
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
}

/** The resources of a type, by logical id. */
export function resourcesOf(template: Template, type: string): Map<string, Resource> {
  return new Map(Object.entries(template.findResources(type) as Record<string, Resource>))
}

/** The one resource of a type whose logical id begins so; it ends in a hash. */
export function resourceOf(
  template: Template,
  type: string,
  start: string,
): Resource & { readonly id: string } {
  const found = [...resourcesOf(template, type)].filter(([id]) =>
    new RegExp(`^${start}[0-9A-F]{8}$`).test(id),
  )
  const [only] = found
  if (only === undefined || found.length > 1) {
    const ids = [...resourcesOf(template, type).keys()].join(', ')
    throw new Error(`${found.length} resources ${start}… of ${type}, expected one; there are ${ids}`)
  }
  return { id: only[0], ...only[1] }
}
