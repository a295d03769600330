import { inProcessBlobs } from '../../src/local-emulator/in-process-blobs.ts'
import { inProcessQueue } from '../../src/local-emulator/in-process-queue.ts'
import { inProcessStore } from '../../src/local-emulator/in-process-store.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { describeBlobs } from './blob-suite.ts'
import { describeQueue, SUITE_VISIBILITY_SECONDS } from './queue-suite.ts'
import { describeStore, NOW } from './store-suite.ts'

const definition = { draining: false, retentionSeconds: 345_600, visibilitySeconds: SUITE_VISIBILITY_SECONDS }

describeQueue('in process', async () => {
  const clock = virtualClock()
  const queues = new Map([
    ['standard', { name: 'standard', fifo: false, ...definition }],
    ['fifo', { name: 'fifo', fifo: true, ...definition }],
  ])
  return {
    queue: inProcessQueue({ queues, clock, entropy: systemEntropy }),
    standard: 'standard',
    fifo: 'fifo',
    advance: (seconds) => clock.advance({ seconds }),
    close: async () => {},
  }
})

describeStore('in process', async () => ({
  store: inProcessStore({ clock: virtualClock(NOW) }),
  close: async () => {},
}))

describeBlobs('in process', async () => ({
  blobs: inProcessBlobs({ clock: virtualClock(NOW) }),
  close: async () => {},
}))
