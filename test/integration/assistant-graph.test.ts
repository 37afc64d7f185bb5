/** The graph of `examples/assistant` and its runs as they are written there, with the example's own handlers: all well, and with the pages away. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { TaskExecution } from '../../src/api/index.ts'
import { ended, executionHome, type ExecutionHome, nodesOf } from './execution-home.ts'

const folder = 'examples/assistant'
let home: ExecutionHome
let worker: ReturnType<typeof spawn>

beforeAll(async () => {
  home = await executionHome()
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
})

afterAll(async () => {
  worker?.kill('SIGTERM')
  if (worker !== undefined) await once(worker, 'exit')
  await home?.stop()
})

async function runOf(
  file: string,
  name: string,
): Promise<{ readonly run: TaskExecution; readonly told: Readonly<Record<string, string>> }> {
  const { spec } = parse(readFileSync(`${folder}/runs/${file}`, 'utf8')) as { readonly spec: object }
  await home.execute(name, spec)
  const run = await home.execution(name, ended)
  return { run, told: await home.commands.hgetall(`assistant:notified:${name}`) }
}

it('tells of the day, and does without the pages when they are away', async () => {
  const [well, away] = await Promise.all([runOf('morning.yaml', 'well'), runOf('morning-without-pages.yaml', 'away')])
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
})
