// What the workers do. Each export of `tasks` is a task type: (payload, context) => result.
// Every run may be repeated (a pod is killed, a reply is lost), so each leaves the same behind when it runs again.
import { databaseOf, recordSlot, store } from './store.mjs'

const work = {
  /** One report in each format. What fails does not keep the others from being made. */
  async 'build-reports'({ slot, formats }) {
    const made = await Promise.allSettled(
      formats.map(async (format) => {
        const text = `Report of ${slot} as ${format}`
        await store.hset('reports:reports', `${slot} ${format}`, text)
        return text.length
      }),
    )
    const failed = made.filter(({ status }) => status === 'rejected')
    if (failed.length > 0) throw new Error(`${failed.length} of ${formats.length} reports failed: ${String(failed[0].reason)}`)
    return { reports: made.length, bytes: made.reduce((sum, { value }) => sum + value, 0) }
  },

  async 'send-notification'({ slot, about }) {
    await store.hset('reports:mails', `${slot} ${about}`, `Something waits for your ${about}`)
    return { sent: 1 }
  },

  async 'clean-up-files'({ slot, olderThanSeconds }) {
    const oldest = new Date(Date.parse(slot) - olderThanSeconds * 1000).toISOString()
    const all = Object.entries(await store.hgetall('reports:reports'))
    const old = all.filter(([name]) => name < oldest)
    if (old.length > 0) await store.hdel('reports:reports', ...old.map(([name]) => name))
    return { removed: old.length, bytes: old.reduce((sum, [, text]) => sum + text.length, 0) }
  },

  async 'back-up-changes'({ slot }) {
    const { reports } = await databaseOf()
    const before = (await store.hget('reports:backups', 'newest')) ?? ''
    const changed = Object.entries(reports).filter(([name]) => name > before)
    await store.hset('reports:backups', `${slot} changes`, JSON.stringify(changed), 'newest', slot)
    return { changed: changed.length }
  },

  async 'optimize-database'() {
    const { reports } = await databaseOf()
    const index = store.multi().del('reports:by-format')
    for (const name of Object.keys(reports)) index.sadd('reports:by-format', name.split(' ').toReversed().join('/'))
    await index.exec()
    return { indexes: 1, rows: Object.keys(reports).length }
  },

  async 'collect-metrics'({ slot }) {
    const [reports, mails] = await Promise.all([store.hlen('reports:reports'), store.hlen('reports:mails')])
    await store.zadd('reports:metrics', Date.parse(slot), `${slot} ${reports} ${mails}`)
    return { reports, mails }
  },

  async 'check-health'({ slot }) {
    const beganMs = performance.now()
    await store.ping()
    return { pingMs: Math.round(performance.now() - beganMs), lateMs: Date.now() - Date.parse(slot) }
  },

  async 'analyse-performance'({ slot, periodSeconds }) {
    const end = Date.parse(slot)
    return { samples: await store.zcount('reports:metrics', end - periodSeconds * 1000, end) }
  },
}

export const tasks = Object.fromEntries(
  Object.entries(work).map(([type, does]) => [
    type,
    async (payload, { log }) => {
      const beganMs = Date.now()
      const report = await does(payload)
      await recordSlot(payload.schedule, payload.slot, beganMs)
      log.info({ slot: payload.slot, ...report }, 'slot done')
      return report
    },
  ]),
)
