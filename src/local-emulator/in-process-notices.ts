/**
 * Notices, in this process.
 * @module
 */
import { MAX_NOTICES, type Notice, type Store } from '../runtime/ports/store.ts'

/** An empty board of notices. */
export function inProcessNotices(): Pick<Store, 'putNotice' | 'notices'> {
  const notices = new Map<string, Notice>()
  return {
    async putNotice(notice) {
      notices.set(notice.key, { ...notice })
    },
    async notices() {
      const inOrder = [...notices.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
      return inOrder.slice(0, MAX_NOTICES)
    },
  }
}
