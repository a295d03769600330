/**
 * A monitor in which every field that a page shows is hostile: what users, callers and workers can put there, and what
 * only a table that somebody else writes to could hold.
 * @module
 */
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { hostileTexts } from './hostile-texts.ts'
import { encoded, monitorStage } from './monitor-stage.ts'

const isAscii = (text: string) => /^[ -~]*$/.test(text)

/** Fields that every call of the hostile shop has. */
const hostile = (text: string) => ({
  ...{ task: text, tenant: text, parent: text, abortReason: text, lastError: text },
  progress: encoded({ [text]: text }),
  history: `1:0:0:${text}`,
})

/** Makes it: for each text a call that failed with it, one of its id that returned it, and a worker of its name. */
export async function hostileShop() {
  const stage = await monitorStage()
  const { clock, backend } = stage
  for (const [index, text] of hostileTexts.entries()) {
    const error = Object.assign(new Error(text, { cause: Object.assign(new Error(text), { name: text }) }), {
      ...{ name: text, stack: text },
    })
    const calls: (Partial<CallRecord> & { id: string })[] = [
      { id: `bad-${index}`, state: 'failed', reason: 'threw', failedIn: 'low', result: encoded(error) },
      { id: `good-${index}`, state: 'retrying' },
      { id: `runs-${index}`, state: 'running', owner: 'a', leaseUntil: clock.now() + 3_600_000 },
      // An id that somebody chose, of a queue that was declared once.
      { id: `${text}-${index}`, queue: text, result: encoded([text, new Map([[text, text]])]) },
    ]
    for (const call of calls) {
      await stage.put({ ...hostile(text), failures: 1, attempts: 2, ...call })
      const headers = isAscii(text) ? { headers: { 'x-request': text } } : {}
      const follows = { onSucceeded: text, onFailed: text, ...headers }
      await stage.keep(call.id, text, [text, { [text]: text }], follows)
    }
    const counts = { memoryBytes: 1, uptimeSeconds: 1, received: 1, running: 1 }
    const named = {
      app: 'shop',
      worker: `w-${text}`,
      errandVersion: text,
      nodeVersion: text,
      codeVersion: text,
    }
    await backend.store.putNotice({
      ...{ key: `process#w-${text}#${index}`.slice(0, 200), expiresAtSeconds: 2 ** 32 },
      text: JSON.stringify({ beatAt: clock.now(), report: { ...named, ...counts, tasks: [text] } }),
    })
    await backend.store.putNotice({ key: `paused#${text}`, text: '', expiresAtSeconds: 2 ** 32 })
  }
  const first = encodeURIComponent(hostileTexts[3] ?? '')
  const paths = [
    ...[
      '/',
      '/?range=24h',
      '/calls',
      '/failed',
      '/tasks',
      '/tasks?range=24h',
      '/queues/low',
      '/failed/retry',
    ],
    ...hostileTexts.flatMap((text, index) => {
      const word = encodeURIComponent(text)
      const failed = [`/failed?task=${word}`, `/failed/retry?task=${word}`]
      return [`/calls?task=${word}&tenant=${word}`, ...(index % 4 === 0 ? failed : [])]
    }),
    ...[`/calls?queue=${first}`, `/calls?state=${first}`, `/calls?since=${first}`, `/calls?after=${first}`],
    ...[`/calls/runs-0`, `/calls/good-0`, `/?range=${first}`, `/queues/${first}`, `/nowhere/${first}`],
    ...hostileTexts.flatMap((text, index) => [
      `/calls/bad-${index}`,
      `/calls/${encodeURIComponent(`${text}-${index}`)}`,
    ]),
  ]
  return { stage, paths }
}
