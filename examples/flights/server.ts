/**
 * Serves the example until Ctrl-C: `PORT=3000 node examples/flights/server.ts`, after `npm run build`.
 * @module
 */
import { listen, onInterrupt } from './src/listen.ts'

function portOf(text: string | undefined): number {
  if (text === undefined || text === '') return 0
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new Error(`PORT is ${JSON.stringify(text)}, expected a number from 0 (a free port) to 65535`)
}

try {
  const server = await listen(portOf(process.env.PORT))
  onInterrupt(() => server.close())
  console.log(`Flights: ${server.url} (Ctrl-C stops it)`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
