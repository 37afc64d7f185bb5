// What the workers do. Each export of `tasks` is a task type: (payload, context) => result.
// Every run may be repeated (a pod is killed, a reply is lost), so each leaves the same behind when it runs again.
import { recordSlot, store } from './store.mjs'

const key = (name) => `public-data:${name}`
/** Three announcements for a slot, of which the last is one that another source published too. */
const published = (slot) => ['a', 'b', 'b'].map((title, index) => [`${slot}#${index}`, JSON.stringify({ slot, title })])

const work = {
  async 'fetch-announcements'({ slot }) {
    const found = published(slot)
    await store.hset(key('announcements'), Object.fromEntries(found))
    return { fetched: found.length }
  },

  async 'cleanup-announcement-duplicates'() {
    const entries = Object.entries(await store.hgetall(key('announcements')))
    const seen = new Set()
    const twice = entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).filter(([, text]) => seen.size === seen.add(text).size)
    if (twice.length > 0) await store.hdel(key('announcements'), ...twice.map(([id]) => id))
    return { removed: twice.length, kept: entries.length - twice.length }
  },

  async 'validate-announcement-integrity'() {
    const entries = Object.values(await store.hgetall(key('announcements')))
    return { checked: entries.length, broken: entries.filter((text) => JSON.parse(text).title === undefined).length }
  },

  async 'validate-data-integrity'() {
    const [announcements, statistics] = await Promise.all([store.hlen(key('announcements')), store.hlen(key('statistics'))])
    return { announcements, statistics }
  },

  async 'validate-classification-usage'() {
    const entries = Object.values(await store.hgetall(key('announcements')))
    return { classes: new Set(entries.map((text) => JSON.parse(text).title)).size }
  },

  async 'generate-system-statistics'({ slot }) {
    const announcements = await store.hlen(key('announcements'))
    await store.hset(key('statistics'), slot, announcements)
    return { announcements }
  },

  async 'send-daily-report'({ slot }) {
    const statistics = await store.hlen(key('statistics'))
    await store.hset(key('reports'), slot, `${statistics} statistics until ${slot}`)
    return { statistics }
  },

  async 'backup-critical-data'({ slot }) {
    const data = await store.hgetall(key('announcements'))
    await store.hset(key('backups'), slot, JSON.stringify(data))
    return { entries: Object.keys(data).length }
  },

  async 'cleanup-old-task-results'({ slot, keepSeconds }) {
    const oldest = new Date(Date.parse(slot) - keepSeconds * 1000).toISOString()
    const old = (await store.hkeys(key('statistics'))).filter((each) => each < oldest)
    if (old.length > 0) await store.hdel(key('statistics'), ...old)
    return { removed: old.length }
  },

  async 'optimize-database-indexes'() {
    const entries = Object.entries(await store.hgetall(key('announcements')))
    const index = store.multi().del(key('by-title'))
    for (const [id, text] of entries) index.sadd(key('by-title'), `${JSON.parse(text).title}/${id}`)
    await index.exec()
    return { indexes: 1, rows: entries.length }
  },

  async 'health-check'({ slot }) {
    const beganMs = performance.now()
    await store.ping()
    return { pingMs: Math.round(performance.now() - beganMs), lateMs: Date.now() - Date.parse(slot) }
  },

  async 'comprehensive-system-monitor'() {
    const info = await store.info('memory')
    return { usedBytes: Number(/used_memory:(\d+)/u.exec(info)?.[1] ?? 0), keys: await store.dbsize() }
  },
}

/** A job scheduler of BullMQ has one payload for all slots; the ids of its jobs end with the slot, in milliseconds since 1970. */
const slotOf = ({ slot }, jobId) => slot ?? new Date(Number(jobId.split(':').at(-1))).toISOString().replace('.000Z', 'Z')

export const tasks = Object.fromEntries(
  Object.entries(work).map(([type, does]) => [
    type,
    async (payload, { jobId, log }) => {
      const beganMs = Date.now()
      const slot = slotOf(payload, jobId)
      const report = await does(payload)
      await recordSlot(type, slot, beganMs)
      log.info({ slot, ...report }, 'slot done')
      return report
    },
  ]),
)
