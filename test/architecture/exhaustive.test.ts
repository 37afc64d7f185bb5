/**
 * A new member of a union of the API does not compile until each place handles it. Proved by the compiler itself: one run over a copy of the
 * sources, in which every union below has one member more.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

type Union = {
  readonly name: string
  readonly file: string
  /** The text before which the new member is written. */
  readonly before: string
  readonly member: string
  /** What has to handle it. */
  readonly places: readonly string[]
}

const field = "optional(object({ description: 'New.', fields: {} })),"

const unions: readonly Union[] = [
  {
    name: 'a condition of alerts',
    file: 'src/api/kinds/alert-conditions.ts',
    before: '  noSuccess: {\n',
    member: `  brokerMemory: { looksAt: 'queues', window: 'none', schema: ${field} },\n`,
    places: ['src/alerting/condition.ts', 'src/plans/task-alert.ts'],
  },
  {
    name: 'a kind of facts of alerts',
    file: 'src/alerting/facts.ts',
    before: '  /** Runs that ended within the window, and slots',
    member: "  | { readonly kind: 'Memory'; readonly bytes: number }\n",
    places: ['src/controllers/task-alert/gather.ts'],
  },
  {
    name: 'a reason for which a value is unknown',
    file: 'src/alerting/facts.ts',
    before: "  | 'NotReadYet'\n",
    member: "  | 'BrokerTooOld'\n",
    places: ['src/controllers/task-alert/status.ts', 'src/controllers/task-alert/alerting.ts'],
  },
  {
    name: 'a kind of targets of alerts',
    file: 'src/api/kinds/alert-conditions.ts',
    before: "'TaskDependency'] as const\n",
    member: "'TaskBroker', ",
    places: ['src/controllers/task-alert/target.ts', 'src/controllers/task-alert/watches.ts'],
  },
  {
    name: 'a severity of alerts',
    file: 'src/api/kinds/task-alert.ts',
    before: "'Critical'] as const\n",
    member: "'Serious', ",
    places: ['src/controllers/task-alert/alerting.ts', 'src/controllers/task-alert/decide.ts'],
  },
  {
    name: 'a receiver of channels',
    file: 'src/api/kinds/alert-channel.ts',
    before: '  webhook: optional(webhook),\n',
    member: `  email: ${field}\n`,
    places: ['src/api/kinds/alert-channel.ts', 'src/controllers/alert-channel/gather.ts', 'src/services/notifications/delivery.ts'],
  },
  {
    name: 'what slots start',
    file: 'src/api/kinds/task-schedule.ts',
    before: '  task: optional(taskTemplate),\n',
    member: `  http: ${field}\n`,
    places: [
      'src/plans/task-schedule.ts',
      'src/plans/run.ts',
      'src/controllers/task-schedule/metrics.ts',
      'src/controllers/task-execution/gather.ts',
    ],
  },
  {
    name: 'the source of a run',
    file: 'src/api/kinds/task-execution.ts',
    before: '  scheduleRef: optional(\n',
    member: `  http: ${field}\n`,
    places: [
      'src/plans/faults-of.ts',
      'src/plans/run.ts',
      'src/controllers/task-execution/gather.ts',
      'src/controllers/task-execution/status.ts',
      'src/controllers/task-execution/metrics.ts',
      'src/controllers/task-execution/decide.ts',
    ],
  },
  {
    name: 'where the pods of a pool come from',
    file: 'src/api/kinds/worker-pool.ts',
    before: 'template: optional(podTemplate), ',
    member: `job: ${field} `,
    places: ['src/controllers/worker-pool/deployment.ts'],
  },
  {
    name: 'the executor of a node',
    file: 'src/api/kinds/task-dependency.ts',
    before: '    job: optional(\n      jobTemplateOf({\n',
    member: `    http: ${field}\n`,
    places: ['src/graph/log.ts', 'src/graph/node-expressions.ts', 'src/graph/run.ts', 'src/services/runs/node-queue-jobs.ts'],
  },
]

const house = resolve('.')
const copy = mkdtempSync(join(tmpdir(), 'taskmill-unions-'))
let output = ''

beforeAll(async () => {
  cpSync('src', join(copy, 'src'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') })
  symlinkSync(join(house, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(join(copy, 'package.json'), readFileSync('package.json'))
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify({ extends: join(house, 'tsconfig.json'), include: ['src'] }))
  for (const { file, before, member, name } of unions) {
    const path = join(copy, file)
    const text = readFileSync(path, 'utf8')
    if (text.split(before).length !== 2) throw new Error(`${name}: ${file} does not have exactly one ${JSON.stringify(before)}`)
    writeFileSync(path, text.replace(before, `${member}${before}`))
  }
  const tsc = join(house, 'node_modules/.bin/tsc')
  await promisify(execFile)(tsc, ['-p', copy, '--pretty', 'false'], { cwd: copy, maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    output = (error as { readonly stdout: string }).stdout
  })
})

afterAll(() => rmSync(copy, { recursive: true, force: true }))

it.each(unions)('$name: a new member does not compile until each place handles it', ({ places }) => {
  const wrong = new Set(Array.from(output.matchAll(/^(src\/[^(]+)\(\d+,\d+\): error/gmu), ([, path]) => path))
  expect(places.filter((place) => !wrong.has(place))).toEqual([])
})
