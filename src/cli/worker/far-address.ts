/**
 * Whether the variables of a process lead to AWS. Its hosts cannot be told by their names: partitions, VPC endpoints and
 * proxies have endings of their own. Those of a machine and its network can.
 * @module
 */
import { BlockList, isIP } from 'node:net'
import { ENV } from '../../runtime/config/config.ts'

/** Where a variable leads to. */
export interface FarAddress {
  readonly variable: string
  readonly origin: string
}

/** Where the SDK sends requests to: endpoints go before the URLs of the queues. */
const endpoints = ['AWS_ENDPOINT_URL_SQS', 'AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ENDPOINT_URL'] as const

/** The first address that is neither of this machine nor of its network. */
export function farAddress(env: NodeJS.ProcessEnv): FarAddress | undefined {
  const named = [ENV.queueUrls, ...endpoints].flatMap((variable) =>
    urlsIn(env[variable] ?? '').map((url) => ({ variable, url })),
  )
  const far = named.find(({ url }) => !isNear(url.hostname))
  return far && { variable: far.variable, origin: `${far.url.protocol}//${far.url.host}` }
}

/** One URL, or those of an object of JSON. What is neither is refused where the queues are opened. */
function urlsIn(text: string): URL[] {
  return [...text.matchAll(/https?:[^"\s]+/gi)].flatMap(([each]) => URL.parse(each) ?? [])
}

const near = new BlockList()
near.addSubnet('127.0.0.0', 8)
near.addSubnet('10.0.0.0', 8)
near.addSubnet('172.16.0.0', 12)
near.addSubnet('192.168.0.0', 16)
near.addAddress('::1', 'ipv6')

/** Names that no public DNS answers for, and LocalStack's, which leads to the machine itself. */
const nearNames = /^[^.]+$|\.(localhost|localhost\.localstack\.cloud|local|internal|test)$/i

function isNear(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  const version = isIP(host)
  return version === 0 ? nearNames.test(host) : near.check(host, version === 6 ? 'ipv6' : 'ipv4')
}
