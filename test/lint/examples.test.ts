import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { TaskBroker, WorkerPool } from '../../src/api/index.ts'
import { lintMain } from '../../src/main/lint.ts'
import { readSchedules } from '../../src/main/manifest-schedules.ts'

function lintAt(path: string) {
  const said = { out: '', err: '' }
  const write = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) }
  return { code: lintMain({ argv: ['--strict', path], write, isColoured: false, nowMs: 0 }), ...said }
}

it.each(globSync('examples/*'))('%s has nothing to correct', (path) => {
  const { code, out, err } = lintAt(path)
  expect([code, out]).toEqual([0, ''])
  expect(err).toMatch(/^\d+ manifests? in /u)
})

it('the repository itself has nothing to correct', () => {
  expect(lintAt('.')).toMatchObject({ code: 0, out: '' })
})

/** Of three real deployments: every schedule that they have, and when it is due. */
const deployments: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  assistant: {
    'process-due-ai-tasks': '*/10 * * * *',
    'test-scheduler-connection': '*/30 * * * *',
    'cleanup-old-logs': '0 3 * * *',
    'process-email-queue': '*/5 * * * *',
    'send-daily-email-summary': '0 8 * * *',
    'cleanup-temp-files': '0 2 * * *',
    'backup-user-data': '0 1 * * 0',
    'sync-calendar-events': '0 * * * *',
    'sync-notion-pages': '0 */2 * * *',
    'optimize-database': '0 3 * * 0',
    'cleanup-old-sessions': '0 4 * * *',
    'morning-summary': '0 7 * * *',
  },
  'public-data': {
    'fetch-announcements': '0 */6 * * *',
    'health-check': 'every 900 s',
    'validate-data-integrity': '30 */12 * * *',
    'generate-system-statistics': '0 */4 * * *',
    'cleanup-old-task-results': 'H 3 * * *',
    'backup-critical-data': '0 2 * * *',
    'send-daily-report': '0 8 * * *',
    'optimize-database-indexes': '0 4 * * SUN',
    'cleanup-announcement-duplicates': '0 5 * * SUN',
    'validate-announcement-integrity': 'H 5 * * *',
    'validate-classification-usage': 'H 6 * * *',
    'comprehensive-system-monitor': 'every 900 s',
  },
  reports: {
    'build-monthly-reports': '0 6 1W * *',
    'remind-of-approvals': '0 9 * * MON-FRI',
    'clean-up-old-files': 'H 3 * * *',
    'back-up-database-full': '0 1 * * SUN',
    'back-up-database-changes': '30 2 * * *',
    'optimize-database': '0 4 * * SUN',
    'collect-metrics': 'every 60 s',
    'check-health': 'every 300 s',
    'analyse-performance': 'H * * * *',
  },
}

it.each(Object.entries(deployments))('%s has each of its schedules, when it is due, and its README has a row for it', (name, expected) => {
  const folder = `examples/${name}`
  const { schedules, faults } = readSchedules([`${folder}/base/schedules.yaml`], { namespace: name, nowMs: 0 })
  expect(faults).toEqual([])
  const found = schedules.map(({ schedule: { metadata, spec } }) => [
    metadata.name,
    spec.schedules?.join('; ') ?? `every ${spec.everySeconds} s`,
  ])
  expect(Object.fromEntries(found)).toEqual(expected)
  const rows = [...readFileSync(`${folder}/README.md`, 'utf8').matchAll(/^\| ([a-z-]+) \|/gmu)].map(([, cell]) => cell)
  expect(rows).toEqual(expect.arrayContaining(Object.keys(expected)))
})

it.each(Object.keys(deployments))('%s: the small overlay gives each schedule a shorter interval', (name) => {
  const overlay = readFileSync(`examples/${name}/overlays/small/kustomization.yaml`, 'utf8')
  const patched = [...overlay.matchAll(/kind: TaskSchedule, name: ([a-z-]+)\}[^]*?path: \/spec\/(?:schedules|everySeconds)/gu)].map(
    ([, each]) => each,
  )
  expect(new Set(patched)).toEqual(new Set(Object.keys(deployments[name] ?? {})))
})

it('no example works on the queues of another, although they share a Redis', () => {
  const queues = Object.keys(deployments).flatMap((name) => {
    const read = (file: string): unknown[] =>
      parseAllDocuments(readFileSync(`examples/${name}/base/${file}`, 'utf8')).map((each) => each.toJS())
    const [{ spec }] = read('broker.yaml') as [TaskBroker]
    const pools = read(existsSync(`examples/${name}/base/pool.yaml`) ? 'pool.yaml' : 'pools.yaml') as WorkerPool[]
    return [...new Set(pools.flatMap((pool) => pool.spec.queues.map((queue) => `${spec.keyPrefix ?? 'bull'}:${queue.name}`)))]
  })
  expect(queues.length).toBeGreaterThan(9)
  expect(queues.filter((queue, index) => queues.indexOf(queue) !== index)).toEqual([])
})
