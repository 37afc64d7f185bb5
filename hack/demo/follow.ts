/** Follows the accounts that the example's own Jobs print: `burst.mjs` of the quickstart and `people.mjs` of the assistant. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { missedRuns } from './slots.ts'
import type { BurstLine, DemoState, PeopleLine } from './state.ts'

export type FollowOptions = { readonly env: NodeJS.ProcessEnv; readonly onChange: () => void }

/** Follows the burst's own account until its pod ends; rejects when the pod cannot be followed. */
export function followBurst(job: string, state: DemoState, options: FollowOptions): Promise<void> {
  return followLog('quickstart', job, options, (text) => takeBurst(state, JSON.parse(text) as BurstLine))
}

/** The same for the jobs of people, and the slots of the schedules that ran meanwhile. */
export function followPeople(job: string, state: DemoState, options: FollowOptions): Promise<void> {
  return followLog('assistant', job, options, (text) => takePeople(state, JSON.parse(text) as PeopleLine))
}

async function followLog(namespace: string, job: string, options: FollowOptions, take: (text: string) => void): Promise<void> {
  // A container that is still being created has no log yet, and `kubectl logs` does not wait for it.
  for (let attempt = 1; ; attempt += 1) {
    const { code, said, lines } = await readLog(namespace, job, options, take)
    if (code === 0) return
    if (lines > 0 || attempt >= 150) throw new Error(`cannot follow the log of ${job}: ${said.trim()}`)
    await sleep(400)
  }
}

type LogEnd = { readonly code: number; readonly said: string; readonly lines: number }

function readLog(namespace: string, job: string, options: FollowOptions, take: (text: string) => void): Promise<LogEnd> {
  const child = spawn('kubectl', ['-n', namespace, 'logs', '-f', job], { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [said, lines] = ['', 0]
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said += text))
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines += 1
    take(text)
    options.onChange()
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, said, lines }))
  })
}

function takeBurst(state: DemoState, line: BurstLine): void {
  if ('firstAddedAt' in line && !('done' in line)) {
    state.firstAddedAtMs = line.firstAddedAt
    state.tally = { added: line.added, done: 0, missing: line.added, twice: 0 }
  }
  if (!('done' in line)) return
  state.tally = { added: line.added, done: line.done, missing: line.missing, twice: line.twice }
  if (line.finished === true) state.finished = true
}

function takePeople({ assistant }: DemoState, line: PeopleLine): void {
  if ('from' in line) {
    assistant.window = { fromMs: line.from, untilMs: line.until, counts: line.counts }
    assistant.missedBefore = Object.fromEntries(
      [assistant.schedules, ...Object.values(assistant.others)].flat().map((schedule) => [schedule.name, missedRuns(schedule)]),
    )
    return
  }
  assistant.jobs = line.jobs
  assistant.slots = line.slots
  assistant.graphs = line.graphs
  if (line.finished === true) assistant.finished = true
}
