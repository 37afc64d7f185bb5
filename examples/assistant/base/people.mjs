// Plays the people that use the assistant: sessions, things to be reminded of, questions of different urgency, mails for later. Then looks on for
// some time and prints, once a second, what the handlers wrote into the store: their jobs, the slots of the schedules, and the runs of the graph.
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { graphRuns, slotRuns, store } from './store.mjs'

const number = (name, fallback) => Number(process.env[name] ?? fallback)
const windowMs = number('SECONDS', 60) * 1000
const graceMs = number('GRACE_SECONDS', 8) * 1000
const counts = { plain: number('PLAIN', 40), priority: number('PRIORITY', 40), delayed: number('DELAYED', 20) }
const [host, port] = process.env.TASKMILL_BROKER_ADDRESS.split(':')
const connection = { host, port: Number(port) }
const ai = new Queue('ai_tasks', { connection })
const email = new Queue('email_tasks', { connection })
const batch = `p${Date.now().toString(36)}`
const say = (line) => console.log(JSON.stringify(line))

const keep = { attempts: 3, backoff: { type: 'exponential', delay: 1000 }, removeOnComplete: 100, removeOnFail: 1000 }
const question = (jobId, more) => ({
  name: 'answer-question',
  data: { question: 'what comes next ?', workMs: 20 },
  opts: { ...keep, jobId, ...more },
})
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index))
const plain = times(counts.plain, (index) => question(`${batch}-plain${index}`))
// BullMQ runs plain jobs first, then these: 1 before 2, and so on. They are added the other way round.
const urgent = times(counts.priority, (index) => question(`${batch}-urgent${index}`, { priority: counts.priority - index }))
const delayed = times(counts.delayed, (index) => ({
  name: 'send-email',
  data: { to: `person${index}@example.com` },
  opts: { ...keep, jobId: `${batch}-later${index}`, delay: 5_000 + (index * 20_000) / counts.delayed },
}))
const ids = [...plain, ...urgent, ...delayed].map(({ opts }) => opts.jobId)

const startedAt = Date.now()
for (let index = 0; index < 30; index += 1) {
  // Half of them are idle for long.
  await store.zadd('assistant:sessions', startedAt - (index % 2) * 100_000_000, `user${index % 7}/${batch}-${index}`)
  await store.zadd('assistant:due', startedAt + index * 1000, `${batch} call number ${index}`)
}
await Promise.all([ai.addBulk([...urgent, ...plain]), email.addBulk(delayed)])
say({ from: startedAt, until: startedAt + windowMs, counts })

/** Of the jobs of this batch only, from the two lists. */
async function look() {
  const [runs, begun] = await Promise.all([store.hgetall(`assistant:jobs:${batch}`), store.hgetall(`assistant:begun:${batch}`)])
  const done = ids.filter((id) => runs[id] !== undefined).length
  const places = urgent.map(({ opts }) => Number(begun[opts.jobId])).toReversed()
  const inOrder = places.filter((place, index) => index === 0 || place > places[index - 1]).length
  return {
    jobs: {
      added: ids.length,
      done,
      missing: ids.length - done,
      twice: Object.values(runs).filter((count) => Number(count) > 1).length,
      inOrder,
    },
    slots: await slotRuns(),
    graphs: await graphRuns(),
  }
}

while (Date.now() < startedAt + windowMs + graceMs) {
  say(await look())
  await sleep(1000)
}
say({ ...(await look()), finished: true })
await Promise.all([ai.close(), email.close(), store.quit()])
