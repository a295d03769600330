/**
 * One queue: what it holds, and what can be done to it.
 * @module
 */
import { html } from 'hono/html'
import { checkQueueName } from '../runtime/operations/call-listing.ts'
import type { QueueStats } from '../runtime/operations/fleet-status.ts'
import {
  actionForm,
  address,
  type Frame,
  type Html,
  name,
  type PageContent,
  stateTag,
  tile,
} from './layout.ts'
import { count, duration } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** What a queue's page shows. */
export interface QueueDetail extends QueueStats {
  readonly name: string
  readonly fifo: boolean
  readonly draining: boolean
  readonly workers: readonly string[]
}

/**
 * Reads one queue.
 * @throws InvalidOptionError where it is not declared
 */
export async function readQueue(sources: Sources, given: string): Promise<QueueDetail> {
  const { config } = sources.executor
  const queue = checkQueueName(config, given)
  const { value } = await sources.queues()
  const { fifo = false, draining = false } = config.queues.get(queue) ?? {}
  const workers = [...config.workers.values()].filter(({ queues }) => queues.includes(queue))
  return {
    ...(value[queue] as QueueStats),
    ...{ name: queue, fifo, draining, workers: workers.map((worker) => worker.name) },
  }
}

/** The page of a queue. */
export function queuePage(frame: Frame, queue: QueueDetail): PageContent {
  const { visible, inFlight, delayed, dead, oldestSeconds, paused, workers, fifo, draining } = queue
  const body = html`<div data-live="queue"><div class="head"><h1>${name(queue.name)}</h1>${paused === undefined ? '' : stateTag(paused ? 'paused' : 'OK')}</div>
<dl class="tiles">
${tile('Waiting', count(visible))}
${tile('In flight', count(inFlight))}
${tile('Delayed', count(delayed))}
${tile('Dead letters', dead === undefined ? '–' : count(dead), { isAlarming: (dead ?? 0) > 0 })}
${tile('Oldest', oldestSeconds === undefined ? '–' : duration(oldestSeconds * 1000))}
</dl>
<p class="after">Consumed by ${workers.length === 0 ? 'nobody' : name(workers.join(', '), 300)}.${fifo ? ' In order, by tenant.' : ''}${draining ? ' It is being drained: submits are refused.' : ''}</p></div>
<p class="links"><a href="${address(frame, '/calls', { queue: queue.name })}">Its calls</a> <a href="${address(frame, '/calls', { queue: queue.name, state: 'pending' })}">Those that wait</a> <a href="${address(frame, '/failed', { queue: queue.name })}">Those that failed</a></p>
${frame.canManage ? controls(frame, queue) : ''}`
  return { title: queue.name, section: 'Overview', body, isLive: true }
}

function controls(frame: Frame, { name: queue, paused }: QueueDetail): Html {
  const path = (action: string) => `/queues/${encodeURIComponent(queue)}/${action}`
  const fields = html`<label><span>Type <bdi class="typed">${queue}</bdi> to purge it</span><input name="queue" required autocomplete="off" spellcheck="false" maxlength="200"></label>`
  return html`<div class="panels"><section class="panel"><h2 id="pause">${paused === true ? 'Resume' : 'Pause'}</h2>
<p>${paused === true ? 'Workers take no calls of it until it is resumed.' : 'Workers take no more calls of it; submits go on, and what runs runs to its end.'}</p>
<div class="buttons">${paused === true ? '' : actionForm(frame, path('pause'), 'Pause')}${paused === false ? '' : actionForm(frame, path('resume'), 'Resume')}</div></section>
<section class="panel dangerous"><h2 id="purge">Purge</h2>
<p>Deletes every message and cancels the calls that wait. It cannot be undone.</p>
${actionForm(frame, path('purge'), 'Purge', { fields, isDangerous: true })}</section></div>`
}
