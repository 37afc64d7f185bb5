// What the workers do. Each export of `tasks` is a task type: (payload, context) => result.
// Every run may be repeated (a pod is killed, a reply is lost), so each leaves the same behind when it runs again.
import { setTimeout as sleep } from 'node:timers/promises'
import { removeOldFiles, writeBackup } from './files.mjs'
import { nextPlace, recordJob, recordSlot, recordStep, store } from './store.mjs'

/** What schedules run: the payload carries the slot. */
const scheduled = {
  /** Turns what is due on the assistant's list into mails. */
  async 'process-due-ai-tasks'({ batch }) {
    const due = await store.zrange('assistant:due', 0, Date.now(), 'BYSCORE', 'LIMIT', 0, batch)
    for (const text of due)
      await store.multi().hset('assistant:outbox', `due-${text}`, `It is time: ${text}`).zrem('assistant:due', text).exec()
    return { processed: due.length }
  },

  /** Whether the store answers, and how late this slot is. */
  async 'test-scheduler-connection'({ slot }) {
    const beganMs = performance.now()
    await store.ping()
    return { pingMs: Math.round(performance.now() - beganMs), lateMs: Date.now() - Date.parse(slot) }
  },

  async 'cleanup-old-logs'({ keepSeconds }) {
    return { removed: await store.xtrim('assistant:log', 'MINID', Date.now() - keepSeconds * 1000) }
  },

  async 'process-email-queue'({ batch }, { signal }) {
    const mails = Object.entries(await store.hgetall('assistant:outbox')).slice(0, batch)
    for (const [id, text] of mails) {
      signal.throwIfAborted()
      await store.multi().hset('assistant:sent', id, text).hdel('assistant:outbox', id).exec()
    }
    return { sent: mails.length }
  },

  async 'send-daily-email-summary'({ slot, periodSeconds }) {
    const entries = await store.xrange('assistant:log', Date.parse(slot) - periodSeconds * 1000, '+')
    const schedules = new Set(entries.map(([, fields]) => fields[1]))
    await store.hset('assistant:outbox', `summary-${slot}`, `${entries.length} runs of ${schedules.size} schedules`)
    return { runs: entries.length, schedules: schedules.size }
  },

  'cleanup-temp-files': ({ folders, olderThanSeconds }) => removeOldFiles(folders, olderThanSeconds),

  async 'backup-user-data'({ slot, retainDays }) {
    const [sessions, calendar, pages] = await Promise.all([
      store.zrange('assistant:sessions', 0, -1),
      store.hgetall('assistant:calendar'),
      store.hgetall('assistant:pages'),
    ])
    return await writeBackup(slot.replaceAll(':', ''), { sessions, calendar, pages }, retainDays)
  },

  /** The calendar of a far server, made up from the slot: eight events, of which some overlap. */
  async 'sync-calendar-events'({ slot }) {
    const hour = new Date(slot).getUTCHours()
    const events = Array.from({ length: 8 }, (_, index) => ({
      id: `${hour}-${index}`,
      from: index * 45,
      to: index * 45 + 30 + (index % 3) * 15,
    }))
    const conflicts = events.filter((event, index) => index > 0 && events[index - 1].to > event.from).length
    await store.hset('assistant:calendar', Object.fromEntries(events.map((event) => [event.id, JSON.stringify(event)])))
    return { events: events.length, conflicts }
  },

  /** With `simulateOutage` the far server is away for the first attempt of every third slot. */
  async 'sync-notion-pages'({ slot, simulateOutage = false }, { attempt }) {
    if (simulateOutage && attempt === 1 && Date.parse(slot) % 60_000 === 0) throw new Error('Notion answered 503')
    await store.hset('assistant:pages', 'inbox', slot, 'projects', slot)
    return { pages: 2 }
  },

  /** Counts the keys of each type, and builds the index of sessions by user anew. */
  async 'optimize-database'() {
    const [keys, tables] = [[], new Set()]
    for (let cursor = '0'; cursor !== undefined;) {
      const [next, found] = await store.scan(cursor, 'MATCH', 'assistant:*', 'COUNT', 500)
      keys.push(...found)
      cursor = next === '0' ? undefined : next
    }
    for (const key of keys) tables.add(key.split(':')[1])
    const sessions = await store.zrange('assistant:sessions', 0, -1)
    const index = store.multi().del('assistant:users')
    for (const session of sessions) index.sadd('assistant:users', session.split('/')[0])
    await index.exec()
    return { tables: tables.size, indexes: 1, rows: sessions.length }
  },

  async 'cleanup-old-sessions'({ idleSeconds }) {
    return { removed: await store.zremrangebyscore('assistant:sessions', '-inf', Date.now() - idleSeconds * 1000) }
  },
}

/** What people ask for: plain jobs, with or without a priority, now or later. */
const asked = {
  async 'answer-question'({ question, workMs }, { signal }) {
    await sleep(workMs, undefined, { signal })
    return { answer: `You asked "${question}" in ${question.split(' ').length} words.` }
  },

  async 'send-email'({ to }, { jobId }) {
    await store.hset('assistant:sent', jobId, to)
    return { to }
  },
}

/** The nodes of the graph in graph.yaml. What they return is what others of its nodes know as nodes.NAME.result. */
const nodes = {
  async 'fetch-calendar'({ at, isAway }) {
    if (isAway) throw new Error('the calendar answered 503')
    return { events: 1 + (new Date(at).getUTCMinutes() % 8) }
  },

  async 'fetch-pages'({ areAway }) {
    if (areAway) throw new Error('Notion answered 503')
    return { pages: 2 }
  },

  async 'write-summary'({ events, pages }) {
    const text = `${events} events today; the pages are ${pages === 'Succeeded' ? 'read' : 'away'}`
    return { lines: 1, text }
  },

  /** One mail for each thing that a run has to say, however often it is repeated. */
  async 'send-notification'({ run, about, to, text }) {
    await store.hset(`assistant:notified:${run}`, about, `${to}: ${text}`)
    return { to }
  },
}

const ofSlot = (schedule, work) => async (payload, context) => {
  const beganMs = Date.now()
  const report = await work(payload, context)
  await recordSlot(schedule, payload.slot, beganMs)
  context.log.info({ slot: payload.slot, ...report }, 'slot done')
  return report
}

/** `about` tells the notifications of a run apart. */
const ofRun = (type, work) => async (payload, context) => {
  await recordStep(payload.run, payload.about ?? type, Date.now())
  await sleep(payload.workMs ?? 0, undefined, { signal: context.signal })
  return await work(payload, context)
}

const ofPerson = (work) => async (payload, context) => {
  const place = await nextPlace()
  const report = await work(payload, context)
  await recordJob(context.jobId, place)
  return report
}

export const tasks = Object.fromEntries([
  ...Object.entries(scheduled).map(([type, work]) => [type, ofSlot(type, work)]),
  ...Object.entries(asked).map(([type, work]) => [type, ofPerson(work)]),
  ...Object.entries(nodes).map(([type, work]) => [type, ofRun(type, work)]),
])
