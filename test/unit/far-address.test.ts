/**
 * Which addresses a worker takes for those of its machine and its network, and which for AWS's.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { farAddress } from '../../src/cli/worker/far-address.ts'

const queueAt = (host: string) => ({ ERRAND_QUEUE_URLS: JSON.stringify({ low: `http://${host}/0/low` }) })

describe('the address of a queue', () => {
  test.each([
    ...[
      'localhost',
      'LOCALHOST:9324',
      'localhost.',
      '127.0.0.1:9',
      '127.9.9.9',
      '[::1]:9',
      '10.0.0.1',
      '172.16.0.1',
    ],
    ...[
      '172.31.255.255',
      '192.168.1.1',
      'host.docker.internal',
      'sqs:9324',
      'sqs.localhost',
      'sqs.eu-west-1.localhost.localstack.cloud',
      'box.local',
      'aws.test',
    ],
  ])('%s is near', (host) => {
    expect(farAddress(queueAt(host))).toBeUndefined()
  })

  test.each([
    ...['sqs.eu-west-1.amazonaws.com', 'sqs.cn-north-1.amazonaws.com.cn', 'sqs.eu-west-1.api.aws'],
    ...[
      'sqs.eusc-de-east-1.amazonaws.eu',
      'sqs.us-iso-east-1.c2s.ic.gov',
      'sqs.us-isob-east-1.sc2s.sgov.gov',
    ],
    ...['vpce-1.sqs.eu-west-1.vpce.amazonaws.com', 'localhost.example.com', '127.0.0.1.nip.io', '11.0.0.1'],
    ...['172.32.0.1', '192.169.0.1', '8.8.8.8', '[2600::1]', 'x@sqs.eu-west-1.amazonaws.com'],
  ])('%s is far', (host) => {
    const origin = `http://${host.replace('x@', '')}`
    expect(farAddress(queueAt(host))).toEqual({ variable: 'ERRAND_QUEUE_URLS', origin })
  })

  test('is looked at for every queue', () => {
    const urls = { low: 'http://127.0.0.1/0/low', high: 'https://sqs.eu-west-1.amazonaws.com/0/high' }
    expect(farAddress({ ERRAND_QUEUE_URLS: JSON.stringify(urls) })?.origin).toBe(
      'https://sqs.eu-west-1.amazonaws.com',
    )
  })
})

test.each(['AWS_ENDPOINT_URL_SQS', 'AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ENDPOINT_URL'])(
  '%s is looked at where it is set',
  (variable) => {
    expect(farAddress({ ...queueAt('sqs'), [variable]: '' })).toBeUndefined()
    expect(farAddress({ ...queueAt('sqs'), [variable]: 'http://127.0.0.1:9' })).toBeUndefined()
    const far = { [variable]: 'https://aws.example.com:8443/x' }
    expect(farAddress({ ...queueAt('sqs'), ...far })).toEqual({
      variable,
      origin: 'https://aws.example.com:8443',
    })
  },
)
