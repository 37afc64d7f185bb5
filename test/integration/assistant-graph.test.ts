/** The graph of `examples/assistant` and its runs as they are written there, with the example's own handlers: all well, with the pages away, with the calendar away. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { TaskExecution } from '../../src/api/index.ts'
import { demoRuns } from '../../hack/demo/runs.ts'
import { ended, executionHome, type ExecutionHome, nodesOf } from './execution-home.ts'

const folder = 'examples/assistant'
let home: ExecutionHome
let worker: ReturnType<typeof spawn>

beforeAll(async () => {
  home = await executionHome('assistant-graph')
  worker = spawn(process.execPath, ['src/main/cli.ts', 'worker', '--tasks', `${folder}/base/tasks.mjs`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'] ?? '',
      TASKMILL_QUEUES: 'ai_tasks,email_tasks,sync_tasks',
      TASKMILL_BROKER_ADDRESS: home.redis.address,
      TASKMILL_CONCURRENCY: '4',
    },
  })
  await home.kubectl('apply', '--filename', `${folder}/base/graph.yaml`)
  // The seconds between two attempts are not what is tried out here.
  const retry = [{ op: 'replace', path: '/spec/nodes/0/task/retry/initialDelaySeconds', value: 0 }]
  await home.kubectl('patch', 'tdep', 'morning-summary', '--type=json', '-p', JSON.stringify(retry))
})

afterAll(async () => {
  worker?.kill('SIGTERM')
  if (worker !== undefined) await once(worker, 'exit')
  await home?.stop()
})

type Told = {
  readonly run: TaskExecution
  readonly told: Readonly<Record<string, string>>
  readonly steps: Readonly<Record<string, string>>
}

async function runOf(file: string, name: string): Promise<Told> {
  const { spec } = parse(readFileSync(`${folder}/runs/${file}`, 'utf8')) as { readonly spec: object }
  await home.execute(name, spec)
  const run = await home.execution(name, ended)
  const [told, steps] = await Promise.all(['notified', 'steps'].map((what) => home.commands.hgetall(`assistant:${what}:${name}`)))
  return { run, told: told ?? {}, steps: steps ?? {} }
}

it('tells of the day, does without the pages when they are away, and fails without the calendar', async () => {
  const [well, away, failed] = await Promise.all([
    runOf('morning.yaml', 'well'),
    runOf('morning-without-pages.yaml', 'away'),
    runOf('morning-without-calendar.yaml', 'failed'),
  ])
  expect(well.run.status?.state).toBe('Succeeded')
  expect(nodesOf(well.run).toSorted()).toEqual([
    'apology Omitted',
    'calendar Succeeded',
    'note Succeeded',
    'pages Succeeded',
    'send Succeeded',
    'summary Succeeded',
  ])
  expect(well.told).toEqual({
    summary: expect.stringMatching(/^ada: \d events today; the pages are read$/u),
    outcome: 'operator: Succeeded',
  })

  // The pages are not required: the run does not fail with them.
  expect(away.run.status?.state).toBe('Succeeded')
  expect(nodesOf(away.run)).toEqual(expect.arrayContaining(['pages Failed', 'apology Succeeded', 'send Succeeded']))
  expect(away.told).toEqual({
    summary: expect.stringMatching(/^ada: \d events today; the pages are away$/u),
    apology: 'ada: The pages are away',
    outcome: 'operator: Succeeded',
  })

  expect(failed.run.status).toMatchObject({ state: 'Failed', failureMessage: 'calendar: AttemptsExhausted, the calendar answered 503' })
  expect(nodesOf(failed.run)).toEqual(expect.arrayContaining(['calendar Failed', 'pages Succeeded', 'summary Omitted', 'note Succeeded']))
  expect(failed.told).toEqual({ outcome: 'operator: Failed' })

  // What make demo holds them against.
  for (const [file, { run, steps }] of Object.entries({
    'morning.yaml': well,
    'morning-without-pages.yaml': away,
    'morning-without-calendar.yaml': failed,
  })) {
    expect(run.status?.state).toBe(demoRuns[file]?.outcome)
    const begun = Object.entries(steps).map(([step, times]) => [step, Number(times)])
    expect(Object.fromEntries(begun)).toEqual(demoRuns[file]?.steps)
  }
})
