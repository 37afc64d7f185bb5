import { expect, it, test } from 'vitest'
import type { TaskExecutionStatus } from '../../api/index.ts'
import { mostColumns, mostRows, nodeTable } from './node-table.ts'

type NodeStatus = NonNullable<TaskExecutionStatus['nodes']>[number]

const timeOf = (second: number) => new Date(Date.parse('2026-11-29T04:00:00Z') + second * 1000).toISOString().replace('.000Z', 'Z')
const node = (name: string, state: NodeStatus['state'], more: Partial<NodeStatus> = {}): NodeStatus => ({ name, state, ...more })

it('is a table with a line for each node, in their order', () => {
  const times = { startTime: timeOf(0), finishTime: timeOf(3) }
  expect(
    nodeTable([
      node('calendar', 'Succeeded', { ...times, attempt: 1, worker: 'sync-7d9c-x2', reason: 'Succeeded' }),
      node('pages', 'Failed', {
        ...times,
        attempt: 3,
        worker: 'sync-7d9c-x2',
        reason: 'AttemptsExhausted',
        message: 'Notion answered 503',
      }),
      node('summary', 'Running', { startTime: timeOf(3), message: 'queued in ai_tasks' }),
      node('send', 'Pending', { message: 'needs summary' }),
      node('sorry', 'Omitted', { reason: 'ConditionNotMet', message: 'it needs pages to end as Failed' }),
    ]),
  ).toEqual([
    'NODE      STATE      ATTEMPT  TOOK  WORKER        REASON',
    'calendar  Succeeded  1        3s    sync-7d9c-x2  -',
    'pages     Failed     3        3s    sync-7d9c-x2  AttemptsExhausted: Notion answered 503',
    'summary   Running    -        -     -             queued in ai_tasks',
    'send      Pending    -        -     -             needs summary',
    'sorry     Omitted    -        -     -             it needs pages to end as Failed',
  ])
})

test.each([
  [0, '0s'],
  [59, '59s'],
  [125, '2m5s'],
  [120, '2m'],
  [725, '12m'],
  [3_900, '1h5m'],
  [7_200, '2h'],
  [32_400, '9h'],
  [200_000, '2d'],
])('%d s are %s', (seconds, text) => {
  const [, line] = nodeTable([node('a', 'Succeeded', { startTime: timeOf(0), finishTime: timeOf(seconds) })])
  expect(line?.split(/ +/u)[3]).toBe(text)
})

it('shows of many nodes those that something is to be said of, and counts the others', () => {
  const many = Array.from({ length: 500 }, (_, index) =>
    node(`n${index}`, index % 100 === 0 ? 'Failed' : index < 250 ? 'Succeeded' : 'Pending'),
  )
  const lines = nodeTable(many)
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['NODE', 'n0', 'n100', 'n200', 'n300', 'n400', 'and'])
  expect(lines.at(-1)).toBe('and 247 Succeeded, 248 Pending')
})

it('keeps within what the schema allows', () => {
  const failed = Array.from({ length: 532 }, (_, index) =>
    node(`node-${index}`, 'Failed', { message: 'x'.repeat(1024), worker: 'w'.repeat(253) }),
  )
  const lines = nodeTable(failed)
  expect(lines).toHaveLength(mostRows + 2)
  expect(Math.max(...lines.map((line) => line.length))).toBe(mostColumns)
  expect(new Set(lines.slice(1).map((line) => line.split(' ')[0])).size).toBe(mostRows + 1)
})
