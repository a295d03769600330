/**
 * Makes errand's table on a wire server, for tests.
 * @module
 */
import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { tableDefinition } from '../../src/runtime/aws/dynamodb-item.ts'
import { connectionTo, loopbackRegion, type WireServer } from './loopback-connection.ts'

/** Makes the table that `tableDefinition` says, and waits until it can be used. */
export async function createTable(server: Pick<WireServer, 'endpoint'>, tableName: string): Promise<void> {
  const client = new DynamoDBClient({ region: loopbackRegion, ...connectionTo(server) })
  try {
    await client.send(new CreateTableCommand(tableDefinition(tableName)))
    await waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 1 }, { TableName: tableName })
  } finally {
    client.destroy()
  }
}
