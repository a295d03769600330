/**
 * Clients are deployed after the workers, so that workers know each task that is submitted; unless a worker knows
 * something of the client, such as its URL, which has to be there before the worker.
 * @module
 */
import { CfnElement, Stack } from 'aws-cdk-lib'
import { CfnFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { FleetWorker } from './fleet-workers.ts'

/** Has the client deployed after the workers and their mappings. */
export function deployAfter(client: LambdaFunction, workers: Iterable<FleetWorker>): void {
  // The function alone, not its role: a worker may yet be granted something of the client's.
  const deployed = client.node.defaultChild ?? client
  for (const worker of workers) deployed.node.addDependency(worker.function, ...worker.mappings.values())
}

/** Which workers have variables that name the client, or what is made below it: CloudFormation refuses the circle. */
export function orderProblems(
  fleet: Construct,
  client: LambdaFunction,
  workers: Iterable<FleetWorker>,
): string[] {
  const ids = client.node.findAll().flatMap((each) => (each instanceof CfnElement ? logicalIdOf(each) : []))
  return [...workers].flatMap((worker) => {
    const variables = Object.entries(variablesOf(worker.function))
    return variables
      .filter(([, value]) => ids.some((id) => JSON.stringify(value).includes(`"${id}"`)))
      .map(
        ([name]) =>
          `${fleet.node.path}: client ${client.node.path} is deployed after worker ${JSON.stringify(worker.name)}, whose variable ${JSON.stringify(name)} is made of it: ` +
          'each would wait for the other; give `addClient` `ordered: false`, or the worker a name that is known before',
      )
  })
}

function logicalIdOf(element: CfnElement): string {
  return Stack.of(element).resolve(element.logicalId)
}

function variablesOf(made: LambdaFunction): Readonly<Record<string, unknown>> {
  const resource = made.node.defaultChild
  if (!(resource instanceof CfnFunction)) return {}
  return Stack.of(made).resolve(resource.environment)?.variables ?? {}
}
