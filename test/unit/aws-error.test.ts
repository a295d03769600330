import { describe, expect, test } from 'vitest'
import { awsErrorName, requesting, translateAwsError } from '../../src/runtime/aws/aws-error.ts'
import { AccessDeniedError, ResourceNotFoundError } from '../../src/runtime/errors.ts'

const named = (name: string) => Object.assign(new Error(`AWS says ${name}`), { name })
const resource = 'table "jobs"'

describe('errors of AWS', () => {
  test.each([
    ['AccessDenied', 'sqs:SendMessage', 'fleet.addClient(fn, { submit: true })'],
    ['AWS.SimpleQueueService.AccessDenied', 'sqs:SendMessage', 'fleet.addClient(fn, { submit: true })'],
    ['AccessDeniedException', 'dynamodb:PutItem', 'fleet.addClient(fn, { submit: true })'],
    ['AccessDeniedException', 'dynamodb:BatchGetItem', 'fleet.addClient(fn, { read: true })'],
    ['AccessDeniedException', 'dynamodb:UpdateItem', 'fleet.addClient(fn, { manage: true })'],
    ['AccessDenied', 'sqs:ReceiveMessage', 'the construct gives it to the workers'],
    ['KMS.AccessDeniedException', 'sqs:SendMessage', 'the key that encrypts it'],
  ])('%s for %s names the action, the resource and the grant', (name, action, grant) => {
    const cause = named(name)
    const error = translateAwsError(cause, { action, resource })
    expect(AccessDeniedError.is(error)).toBe(true)
    expect(error).toMatchObject({
      cause,
      message: expect.stringContaining(`denied ${action} on ${resource}`),
    })
    expect(error).toMatchObject({ message: expect.stringContaining(grant) })
  })

  test.each([
    'QueueDoesNotExist',
    'AWS.SimpleQueueService.NonExistentQueue',
    'AWS.SimpleQueueService.QueueDoesNotExist',
    'ResourceNotFoundException',
  ])('%s names what is missing', (name) => {
    const cause = named(name)
    const error = translateAwsError(cause, { action: 'sqs:SendMessage', resource })
    expect(ResourceNotFoundError.is(error)).toBe(true)
    expect(error).toMatchObject({ cause, message: expect.stringContaining(`${resource} is not there`) })
  })

  test.each(['ThrottlingException', 'TimeoutError', 'ConditionalCheckFailedException', 'ExpiredToken'])(
    '%s passes unchanged',
    async (name) => {
      const error = named(name)
      expect(translateAwsError(error, { action: 'x:Y', resource })).toBe(error)
      const run = () => Promise.reject(error)
      await expect(requesting({ action: 'x:Y', resource }, run)).rejects.toBe(error)
    },
  )

  test('what is not an error has no name', () => {
    expect(awsErrorName('text')).toBe('')
    expect(translateAwsError(undefined, { action: 'x:Y', resource })).toBeUndefined()
  })
})
