/**
 * A client's requests, no more of them at a time than it has sockets.
 *
 * The SDK counts a request's time to connect from when it is made, also while it waits for one of the agent's sockets. Of
 * 300 submits at once, over a connection of 80 ms, 86 failed as not connected in time (measured). So what would wait for a
 * socket is not made before one is free.
 * @module
 */

/** How many sockets a client may have open: the SDK's own default. */
export const MAX_SOCKETS = 50

/** Makes one try of a request. */
type Handler = (request: never) => Promise<unknown>

/** A client of the SDK, as far as it is changed here. */
interface SlottedClient {
  readonly middlewareStack: {
    add(
      middleware: (next: Handler) => Handler,
      options: { readonly step: 'deserialize'; readonly name: string },
    ): void
  }
}

/** Has each try of a request wait for its turn. A wait between two tries holds nobody up. */
export function inSlots<Client>(client: Client): Client {
  const waiting: (() => void)[] = []
  let taken = 0
  const release = () => {
    const begin = waiting.shift()
    if (begin === undefined) taken -= 1
    else begin()
  }
  const middleware = (next: Handler) => async (request: never) => {
    if (taken < MAX_SOCKETS) taken += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await next(request)
    } finally {
      release()
    }
  }
  const { middlewareStack } = client as SlottedClient
  middlewareStack.add(middleware, { step: 'deserialize', name: 'errandRequestSlots' })
  return client
}
