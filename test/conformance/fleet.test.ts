import { createExecutor } from 'errand'
import { afterAll, beforeAll } from 'vitest'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Fleet } from '../../src/runtime/ports/fleet.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { deployFleet } from '../support/lambda-fleet.ts'
import { describeFleet, fleetConfig, fleetTasks } from './fleet-suite.ts'

let sqs: FauxqsServer
beforeAll(async () => {
  sqs = await startFauxqs()
})
afterAll(() => sqs.close())

describeFleet('local', async () => {
  const executor = createExecutor(fleetConfig, { tasks: fleetTasks, backend: 'local' })
  const { queue, fleet } = await internalsOf(executor).connect()
  await fleet?.pause('low')
  await executor.start()
  return { queue, fleet: fleet as Fleet, close: () => executor.close() }
})

describeFleet('AWS on the wire (fauxqs, a Lambda API)', async () => {
  const servers = {
    sqs,
    dynamodb: { endpoint: 'http://127.0.0.1:1', close: async () => {} },
    tableName: 'none',
  }
  const { executor, close } = await deployFleet(servers, fleetConfig, fleetTasks)
  const { queue, fleet } = await internalsOf(executor).connect()
  return { queue, fleet: fleet as Fleet, close }
})
