/**
 * The three writes of a call as somebody writes them by hand: the conditions and attributes that errand's have.
 * @module
 */
import { type AttributeValue, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'

/** A message, as it stands in the queue. */
export interface HandMessage {
  readonly v: 1
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly payloadHash: string
  readonly createdAt: number
  readonly dueAt: number
  readonly args: readonly [number, number]
}

/** Seven days, in the order of what errand's records live. */
const LIFE_SECONDS = 604_800

/** The key of a call's record. */
export function keyOf(id: string): Record<string, AttributeValue> {
  return { pk: { S: `C#${id}` }, sk: { S: 'S' } }
}

/** The attributes that put a call into the listing index. */
function listingOf(message: HandMessage): { lp: AttributeValue; ls: AttributeValue } {
  const shard = message.id.charCodeAt(message.id.length - 1) % 4
  return {
    lp: { S: `${message.queue}#${shard}` },
    ls: { S: `${String(message.createdAt).padStart(15, '0')}#${message.id}` },
  }
}

/** The record of a call that was submitted. */
export function putOf(tableName: string, message: HandMessage): PutItemCommand {
  const nowSeconds = Math.floor(message.createdAt / 1000)
  return new PutItemCommand({
    TableName: tableName,
    Item: {
      ...keyOf(message.id),
      fn: { S: message.task },
      q: { S: message.queue },
      ph: { S: message.payloadHash },
      ca: { N: String(message.createdAt) },
      du: { N: String(message.dueAt) },
      st: { S: 'pending' },
      tl: { N: String(nowSeconds + LIFE_SECONDS) },
      at: { N: '0' },
      fa: { N: '0' },
      ...listingOf(message),
    },
    ConditionExpression: 'attribute_not_exists(#pk) OR #tl <= :now',
    ExpressionAttributeNames: { '#pk': 'pk', '#tl': 'tl' },
    ExpressionAttributeValues: { ':now': { N: String(nowSeconds) } },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
}

const claimNames = {
  '#st': 'st',
  '#ow': 'ow',
  '#le': 'le',
  '#sa': 'sa',
  '#tl': 'tl',
  '#fn': 'fn',
  '#q': 'q',
  '#ph': 'ph',
  '#ca': 'ca',
  '#du': 'du',
  '#fa': 'fa',
  '#at': 'at',
  '#lp': 'lp',
  '#ls': 'ls',
  '#pr': 'pr',
  '#pk': 'pk',
  '#ab': 'ab',
}

/** The write that makes an attempt the owner. */
export function claimOf(tableName: string, message: HandMessage, owner: string): UpdateItemCommand {
  const now = Date.now()
  const nowSeconds = Math.floor(now / 1000)
  const { lp, ls } = listingOf(message)
  return new UpdateItemCommand({
    TableName: tableName,
    Key: keyOf(message.id),
    ConditionExpression:
      'attribute_not_exists(#pk) OR (#ph = :ph AND attribute_not_exists(#ab) AND #tl > :seconds AND ' +
      '(#st = :pending OR (#st IN (:scheduled, :retrying) AND #du <= :soon) OR (#st = :running AND #le < :now)))',
    UpdateExpression:
      'SET #st = :running, #ow = :ow, #le = :le, #sa = :now, #tl = :tl, #fn = if_not_exists(#fn, :fn), ' +
      '#q = if_not_exists(#q, :q), #ph = if_not_exists(#ph, :ph), #ca = if_not_exists(#ca, :ca), ' +
      '#du = if_not_exists(#du, :ca), #fa = if_not_exists(#fa, :zero), #at = if_not_exists(#at, :zero) + :one, ' +
      '#lp = if_not_exists(#lp, :lp), #ls = if_not_exists(#ls, :ls) REMOVE #pr',
    ExpressionAttributeNames: claimNames,
    ExpressionAttributeValues: {
      ':running': { S: 'running' },
      ':pending': { S: 'pending' },
      ':scheduled': { S: 'scheduled' },
      ':retrying': { S: 'retrying' },
      ':ow': { S: owner },
      ':le': { N: String(now + 63_000) },
      ':now': { N: String(now) },
      ':soon': { N: String(now + 1000) },
      ':seconds': { N: String(nowSeconds) },
      ':tl': { N: String(nowSeconds + LIFE_SECONDS) },
      ':fn': { S: message.task },
      ':q': { S: message.queue },
      ':ph': { S: message.payloadHash },
      ':ca': { N: String(message.createdAt) },
      ':zero': { N: '0' },
      ':one': { N: '1' },
      ':lp': lp,
      ':ls': ls,
    },
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
}

const finishNames = {
  '#st': 'st',
  '#rs': 'rs',
  '#fi': 'fi',
  '#tl': 'tl',
  '#le': 'le',
  '#er': 'er',
  '#ow': 'ow',
}

/** The write of the result, by the owner alone. */
export function finishOf(tableName: string, id: string, owner: string, result: string): UpdateItemCommand {
  const now = Date.now()
  return new UpdateItemCommand({
    TableName: tableName,
    Key: keyOf(id),
    ConditionExpression: '#st = :running AND #ow = :ow',
    UpdateExpression: 'SET #st = :succeeded, #rs = :rs, #fi = :fi, #tl = :tl REMOVE #le, #er',
    ExpressionAttributeNames: finishNames,
    ExpressionAttributeValues: {
      ':running': { S: 'running' },
      ':succeeded': { S: 'succeeded' },
      ':ow': { S: owner },
      ':rs': { S: result },
      ':fi': { N: String(now) },
      ':tl': { N: String(Math.floor(now / 1000) + LIFE_SECONDS) },
    },
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
}
