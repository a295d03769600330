/**
 * A fresh environment: imports a bundle, handles one event, and prints what that took. Plain JavaScript, since Node
 * would load its TypeScript stripper into the very process that is measured.
 * @module
 */
const [, , bundle, event] = process.argv
const cpuBefore = process.cpuUsage()
const began = performance.now()
const { handler } = await import(bundle)
const imported = performance.now()
const answer = await handler(JSON.parse(event), {
  awsRequestId: 'bench',
  functionName: 'bench',
  getRemainingTimeInMillis: () => 30_000,
})
const ended = performance.now()
const { user, system } = process.cpuUsage(cpuBefore)
process.stdout.write(
  JSON.stringify({
    answer,
    'import ms': imported - began,
    'first ms': ended - imported,
    'both ms': ended - began,
    'CPU ms': (user + system) / 1000,
  }),
)
// Sockets are kept alive.
process.exit()
