/**
 * Notices in DynamoDB: items of one partition, which holds nothing else. One write unit for each KB of a notice, one
 * read unit for each 8 KB of all of them.
 * @module
 */
import type { QueryCommandOutput } from '@aws-sdk/client-dynamodb'
import { MAX_NOTICES, type Notice } from '../ports/store.ts'
import { requesting } from './aws-error.ts'
import { attributeOf, TTL_ATTRIBUTE } from './dynamodb-item.ts'
import type { DynamoDbStoreOptions } from './dynamodb-store.ts'

/** The partition of all notices; the construct's grants name it. Those of calls begin with `C#`. */
export const NOTICES_PARTITION = 'N'

const TEXT = attributeOf('result')

/** Leaves a notice. */
export async function putNotice(options: DynamoDbStoreOptions, notice: Notice): Promise<void> {
  const { client, sdk } = await options.dynamodb.get()
  const command = new sdk.PutItemCommand({
    TableName: options.tableName,
    Item: {
      pk: { S: NOTICES_PARTITION },
      sk: { S: notice.key },
      [TEXT]: { S: notice.text },
      [TTL_ATTRIBUTE]: { N: String(notice.expiresAtSeconds) },
    },
  })
  const resource = `table "${options.tableName}"`
  await requesting({ action: 'dynamodb:PutItem', resource, access: 'operate' }, () => client.send(command))
}

/** Reads the notices, the first `MAX_NOTICES` of them. */
export async function readNotices(options: DynamoDbStoreOptions): Promise<readonly Notice[]> {
  const { client, sdk } = await options.dynamodb.get()
  const resource = `table "${options.tableName}"`
  const notices: Notice[] = []
  let from: QueryCommandOutput['LastEvaluatedKey']
  do {
    const command = new sdk.QueryCommand({
      TableName: options.tableName,
      KeyConditionExpression: 'pk = :p',
      ExpressionAttributeValues: { ':p': { S: NOTICES_PARTITION } },
      Limit: MAX_NOTICES - notices.length,
      ...(from !== undefined && { ExclusiveStartKey: from }),
    })
    const page = await requesting({ action: 'dynamodb:Query', resource, access: 'inspect' }, () =>
      client.send(command),
    )
    for (const { sk, [TEXT]: text, [TTL_ATTRIBUTE]: expires } of page.Items ?? []) {
      notices.push({ key: sk?.S ?? '', text: text?.S ?? '', expiresAtSeconds: Number(expires?.N ?? 0) })
    }
    from = page.LastEvaluatedKey
  } while (from !== undefined && notices.length < MAX_NOTICES)
  return notices
}
