/**
 * Stands in for the native module of aws-lambda-ric 4.0.2, whose build takes a minute and a C++ toolchain: `next`,
 * `done` and `error` over `node:http`. Preloaded by `--require`; the rest of the runtime client is Amazon's own.
 *
 * The native `done` blocks until the answer is sent. Here the runtime asks for the next invocation only then; and
 * since one connection is kept, an answer is on the wire before anything that the handler left behind can run.
 * @module
 */
const http = require('node:http')
const { registerHooks } = require('node:module')
const { pathToFileURL } = require('node:url')

const NATIVE = './rapid-client.node'

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== NATIVE) return nextResolve(specifier, context)
    return { url: pathToFileURL(__filename).href, format: 'commonjs', shortCircuit: true }
  },
})

const [hostname, port] = (process.env.AWS_LAMBDA_RUNTIME_API ?? '').split(':')
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
/** Resolves when what was posted has been taken. */
let posted = Promise.resolve()

function send(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const options = { hostname, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}`, headers }
    const request = http.request(options, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

module.exports = {
  async next() {
    await posted
    return send('GET', 'next')
  },
  done(id, body) {
    posted = send('POST', `${id}/response`, body)
  },
  error(id, body) {
    posted = send('POST', `${id}/error`, body)
  },
}
