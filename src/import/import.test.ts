import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { lint } from '../lint/index.ts'
import { importJobSchedulers } from './bullmq.ts'
import { importBeatSchedule } from './celery-beat.ts'
import { importCronJobs } from './cron-job.ts'
import { type Draft, renderDrafts } from './draft.ts'

/** The manifests, which pass lint, and the comments. */
function rendered(drafts: readonly Draft[]) {
  const { text, converted } = renderDrafts(drafts)
  const { findings, manifests } = lint([{ path: 'out.yaml', text, isNamed: true }], { isComplete: false })
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(manifests).toBe(converted)
  const objects = parseAllDocuments(text).map(
    (document) => document.toJS() as { readonly metadata: object; readonly spec: Readonly<Record<string, unknown>> } | null,
  )
  const notes = text.split('\n').filter((line) => line.startsWith('# '))
  return {
    text,
    converted,
    specs: objects.flatMap((object) => (object === null ? [] : [object.spec])),
    names: objects.flatMap((object) => (object === null ? [] : [object.metadata])),
    notes,
  }
}

const pods =
  '{ spec: { restartPolicy: OnFailure, containers: [{ name: main, image: "acme:1", args: ["--home=$(HOME)", "$$(X)"], env: [{ name: A, value: "$(B)" }, { name: C, valueFrom: { fieldRef: { fieldPath: metadata.name } } }] }] } }'
const cronJob = (spec: string, name = 'nightly') => `
apiVersion: batch/v1
kind: CronJob
metadata: { name: ${name}, namespace: team, labels: { a: b } }
spec: { ${spec}, jobTemplate: { spec: { backoffLimit: 2, ttlSecondsAfterFinished: 60, template: ${pods} } } }
---
`

describe('CronJobs', () => {
  it('become schedules that start the same Job', () => {
    const text = cronJob(
      'schedule: "30 2 * * *", timeZone: Europe/Berlin, concurrencyPolicy: Forbid, startingDeadlineSeconds: 300, suspend: true, successfulJobsHistoryLimit: 1',
    )
    const { specs, names, notes } = rendered(importCronJobs(text))
    expect(names).toEqual([{ name: 'nightly', namespace: 'team' }])
    expect(specs).toEqual([
      {
        schedules: ['30 2 * * *'],
        timeZone: 'Europe/Berlin',
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 300,
        suspend: true,
        job: {
          spec: {
            backoffLimit: 2,
            ttlSecondsAfterFinished: 600,
            template: {
              spec: {
                restartPolicy: 'OnFailure',
                containers: [
                  {
                    name: 'main',
                    image: 'acme:1',
                    args: ['--home=$$(HOME)', '$$$(X)'],
                    env: [
                      { name: 'A', value: '$$(B)' },
                      { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                    ],
                  },
                ],
              },
            },
          },
        },
      },
    ])
    const all = notes.join('\n')
    expect(all).toContain('From CronJob team/nightly.')
    for (const note of [
      'a CronJob leaves a skipped time out',
      'successfulJobsHistoryLimit has no counterpart',
      'was 60; at least 600',
      'Labels and annotations',
      'TaskBroker',
    ])
      expect(all).toContain(note)
  })

  it.each<[string, object, string]>([
    ['schedule: "@every 1h30m"', { everySeconds: 5400 }, 'counts "@every 1h30m" from its last run'],
    [
      'schedule: "CRON_TZ=Asia/Tokyo 0 9 * * *"',
      { schedules: ['0 9 * * *'], timeZone: 'Asia/Tokyo' },
      'a CronJob leaves a skipped time out',
    ],
    ['schedule: "*/90 * * * *"', { schedules: ['0 * * * *'], timeZone: 'UTC' }, 'has a step that is longer than its field'],
    ['schedule: "@hourly"', { schedules: ['@hourly'] }, 'has no timeZone'],
    ['schedule: "0 1 * * *", concurrencyPolicy: Replace', { concurrencyPolicy: 'Replace' }, 'otherwise both run'],
    ['schedule: "0 1 * * *", startingDeadlineSeconds: 0', { schedules: ['0 1 * * *'] }, 'otherwise both run'],
  ])('%s', (spec, want, note) => {
    const { specs, notes } = rendered(importCronJobs(cronJob(spec)))
    expect(specs).toMatchObject([want])
    expect(notes.join('\n')).toContain(note)
  })

  it('one that is never due, or whose interval is too short, is a comment with the reason', () => {
    const { converted, notes } = rendered(importCronJobs(cronJob('schedule: "0 0 30 2 *"') + cronJob('schedule: "@every 100ms"', 'fast')))
    expect(converted).toBe(0)
    expect(notes.join('\n')).toContain('From CronJob team/nightly: cannot be converted.')
    expect(notes.join('\n')).toContain('is never due, because there is no such day')
    expect(notes.join('\n')).toContain('From CronJob team/fast: cannot be converted.')
  })

  it('are found in lists, and objects of other kinds are passed over', () => {
    const item = parseAllDocuments(cronJob('schedule: "@daily"'))[0]?.toJS() as object
    const list = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [item, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }],
    })
    expect(importCronJobs(list).map(({ origin }) => origin)).toEqual(['CronJob team/nightly'])
    expect(() => importCronJobs('\na: [')).toThrow('is not YAML: line 2: ')
    expect(() => importCronJobs('a: &a\n  b: *a')).toThrow('is not YAML: line 2: *a stands for a value that contains it')
  })

  it('are read as kubectl reads them: times and numbers with colons are texts', () => {
    const text = cronJob('schedule: "@daily"').replace('args: [', 'args: [2026-11-29, 2026-11-29T01:00:00Z, 02:30, 190:20:30, ')
    const [spec] = rendered(importCronJobs(text)).specs
    const args = ['2026-11-29', '2026-11-29T01:00:00Z', '02:30', '190:20:30', '--home=$$(HOME)', '$$$(X)']
    expect(spec).toMatchObject({ job: { spec: { template: { spec: { containers: [{ args }] } } } } })
  })
})

describe('a schedule of Celery beat', () => {
  const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const every = { minute: range(0, 59), hour: range(0, 23), day: range(1, 31), month: range(1, 12), weekday: range(0, 6) }
  const crontab = (fields: Partial<Record<keyof typeof every, readonly number[]>>, more: object = {}) => ({
    crontab: Object.values({ ...every, minute: [0], ...fields }),
    ...more,
  })
  const exported = (entries: object, more: object = {}) => JSON.stringify({ timezone: 'Europe/Berlin', entries, ...more })

  it('becomes one schedule for each entry', () => {
    const { specs, names, notes } = rendered(
      importBeatSchedule(
        exported({
          'Send report!': {
            task: 'reports.send',
            args: [],
            kwargs: { to: 'all', text: '$(x)' },
            options: { queue: 'mail', expires: 600, priority: 3, routing_key: null },
            schedule: crontab({ minute: [30], hour: [2], weekday: range(1, 5) }),
          },
          poll: { task: 'poll', args: [1, 'a'], kwargs: { b: 2 }, options: {}, schedule: { seconds: 30 } },
          'first-monday': {
            task: 'bill',
            args: [],
            kwargs: {},
            options: null,
            schedule: crontab({ hour: [6], day: range(1, 7), weekday: [1] }),
          },
        }),
      ),
    )
    expect(names).toEqual([{ name: 'send-report' }, { name: 'poll' }, { name: 'first-monday' }])
    expect(specs).toEqual([
      {
        schedules: ['30 2 * * MON-FRI'],
        timeZone: 'Europe/Berlin',
        startingDeadlineSeconds: 600,
        task: { type: 'reports.send', queue: 'mail', payload: { to: 'all', text: '$$(x)' } },
      },
      { everySeconds: 30, task: { type: 'poll', queue: 'celery', payload: { args: [1, 'a'], kwargs: { b: 2 } } } },
      {
        schedules: ['0 6 1-7 * *'],
        timeZone: 'Europe/Berlin',
        calendars: { include: [{ name: 'weekdays', weekdays: ['MON'] }] },
        task: { type: 'bill', queue: 'celery' },
      },
    ])
    for (const note of [
      'Named send-report',
      'beat runs it an hour later (03:30)',
      'options.priority (3) has no counterpart',
      'became startingDeadlineSeconds',
      'from its own start',
      'positional arguments',
      'at once, a cron expression one of them',
    ])
      expect(notes.join('\n')).toContain(note)
    expect(notes.join('\n')).not.toContain('routing_key')
  })

  it.each<[Parameters<typeof crontab>[0], string]>([
    [{ minute: every.minute }, '* * * * *'],
    [{ minute: range(0, 3).map((index) => index * 15) }, '*/15 * * * *'],
    [{ minute: [0, 30] }, '0,30 * * * *'],
    [{ minute: [0, 45] }, '0,45 * * * *'],
    [{ minute: [5, 20, 35, 50] }, '5,20,35,50 * * * *'],
    [{ minute: [10, 11, 13, 14, 15, 59] }, '10,11,13-15,59 * * * *'],
    [{ hour: [0, 5, 10, 15, 20] }, '0 */5 * * *'],
    [{ hour: [0, 1, 2, 22, 23] }, '0 0-2,22,23 * * *'],
    [{ hour: [3], day: range(0, 15).map((index) => 1 + index * 2) }, '0 3 */2 * *'],
    [{ hour: [3], day: [1, 11, 21] }, '0 3 1,11,21 * *'],
    [{ hour: [3], day: [1], month: [1, 4, 7, 10] }, '0 3 1 */3 *'],
    [{ hour: [3], weekday: [0, 2, 4, 6] }, '0 3 * * */2'],
    [{ hour: [3], weekday: [0, 6] }, '0 3 * * SUN,SAT'],
  ])('of the values of a crontab an expression that names the same: %j', (fields, expression) => {
    const [spec] = rendered(importBeatSchedule(exported({ a: { task: 't', schedule: crontab(fields) } }))).specs
    expect(spec?.['schedules']).toEqual([expression])
  })

  it('entries of a database have zones of their own, begin later, or run once', () => {
    const { specs } = rendered(
      importBeatSchedule(
        exported({
          zoned: { task: 't', schedule: crontab({ hour: [8] }, { timezone: 'Asia/Seoul' }) },
          later: { task: 't', schedule: { seconds: 60 }, start_time: '2027-01-01T00:00:00+00:00', one_off: false },
          once: { task: 't', schedule: { seconds: 60 }, start_time: null, one_off: true },
          clocked: { task: 't', schedule: { at: '2027-01-01T00:00:00+00:00' }, start_time: '2026-12-01T00:00:00+00:00', one_off: true },
        }),
      ),
    )
    const task = { type: 't', queue: 'celery' }
    expect(specs).toEqual([
      { schedules: ['0 8 * * *'], timeZone: 'Asia/Seoul', task },
      { everySeconds: 60, startTime: '2027-01-01T00:00:00+00:00', task },
      { everySeconds: 60, maxRuns: 1, task },
      { at: ['2027-01-01T00:00:00+00:00'], task },
    ])
  })

  it('what has no counterpart is a comment', () => {
    const { converted, notes } = rendered(
      importBeatSchedule(
        exported({
          dusk: { task: 'lamps', schedule: { solar: ['sunset', 52.5, 13.4] } },
          often: { task: 'poll', schedule: { seconds: 0.5 } },
          odd: { task: 'poll', schedule: { other: '<my_schedule>' } },
          none: { task: 'poll', schedule: crontab({ hour: [] }) },
          cleanup: { task: 'celery.backend_cleanup', schedule: crontab({ hour: [4] }) },
        }),
      ),
    )
    expect(converted).toBe(0)
    for (const note of [
      'solar (["sunset",52.5,13.4]) has no counterpart',
      'It runs every 0.5 s: slots are whole seconds',
      '(<my_schedule>) is of a kind that is not known',
      'It is of Celery itself',
    ])
      expect(notes.join('\n')).toContain(note)
  })

  it.each([
    ['{', 'is not JSON: '],
    ['[]', 'is not a JSON object'],
    ['{}', 'has no entries: write the JSON that the snippet'],
  ])('%j is refused', (text, message) => {
    expect(() => importBeatSchedule(text)).toThrow(message)
  })
})

/** What the snippets of the documentation printed, run with these versions: each kind of schedule that they know, and entries that cannot be converted. */
describe('real exports', () => {
  const read = (name: string): string => readFileSync(new URL(`exports/${name}.json`, import.meta.url), 'utf8')
  const whenOf = (spec: Readonly<Record<string, unknown>>) => spec['everySeconds'] ?? spec['at'] ?? spec['schedules']

  it('of Celery 5.7', () => {
    const { converted, specs, names, notes } = rendered(importBeatSchedule(read('celery-5.7')))
    expect(Object.fromEntries(specs.map((spec, index) => [(names[index] as { name: string }).name, whenOf(spec)]))).toEqual({
      'every-30-seconds': 30,
      delta: 300,
      'sched-object': 3600,
      'monday-morning': ['30 7 * * MON'],
      names: ['*/15 7,19 * 1,7 MON-FRI'],
      'full-names': ['0 0 * 1 MON,FRI'],
      'sat-sun': ['0 0 * * SUN,SAT'],
      thu: ['0 0 * * TUE,THU'],
      'dom-dow': ['0 0 1-7 * *'],
      set: ['0,30 6,18 * * *'],
      odd: ['*/3 */5 * * *'],
      'long-step': ['0 * * * *'],
      dst: ['30 2 * * *'],
      wrap: ['0 0-2,22,23 * * *'],
      'wrap-month': ['0 1 1 1,2,11,12 *'],
      'dow-step': ['0 1 * * */2'],
      'dom-star-step': ['0 1 */2 * *'],
      'expires-date': 60,
      'from-code': 10,
      'reports-send-x': ['30 7 * * MON'],
      'routed-by-name': ['0 * * * *'],
      'from-code-later': 7200,
    })
    // The queue that the task itself declares, that of a route, and that of an entry.
    const queueOf = (type: string) =>
      specs.map(({ task }) => task as { type: string; queue: string }).find((task) => task.type === type)?.queue
    expect(['myapp.add', 'reports.send', 'routed.task'].map(queueOf)).toEqual(['celery', 'mail', 'routed'])
    expect(converted).toBe(22)
    const refused = notes.filter((line) => line.endsWith('cannot be converted.'))
    expect(refused.map((line) => /"(.*)"/u.exec(line)?.[1])).toEqual(['half', 'sunset', 'with-bytes'])
  })

  it('of django-celery-beat 2.9', () => {
    const { specs } = rendered(importBeatSchedule(read('django-celery-beat-2.9')))
    expect(specs).toMatchObject([
      {
        schedules: ['30 2 * * *'],
        timeZone: 'Europe/Berlin',
        startingDeadlineSeconds: 600,
        task: { type: 'backup', queue: 'files', payload: { keep: 7 } },
      },
      { everySeconds: 300, startTime: '2026-12-24T00:00:00+00:00', task: { type: 'myapp.add', payload: { args: [1, 2] } } },
      { everySeconds: 300, maxRuns: 1, task: { type: 'poll' } },
      { at: ['2027-01-01T00:00:00+00:00'], task: { type: 'greet' } },
    ])
  })

  it.each(['bullmq-6.7', 'bullmq-5.81'])('of %s', (name) => {
    const { specs, names, notes } = rendered(importJobSchedulers(read(name), Date.UTC(2026, 10, 30, 12)))
    const shown = Object.fromEntries(specs.map((spec, index) => [(names[index] as { name: string }).name, spec]))
    expect(shown).toMatchObject({
      future: { schedules: ['0 9 * * *'], startTime: '2027-06-01T00:00:00Z', task: { type: 'future', payload: { n: 1 } } },
      digest: {
        schedules: ['0 30 8 * * MON-FRI'],
        timeZone: 'Europe/Berlin',
        task: {
          type: 'send-digest',
          queue: 'email_tasks',
          payload: { to: 'all', text: 'a $$(b)' },
          retry: { maxRetries: 2, initialDelaySeconds: 2 },
          priority: 99,
        },
      },
      limited: { schedules: ['*/5 * * * *'], endTime: '2030-01-01T00:00:00Z', maxRuns: 10 },
      poll: { everySeconds: 60 },
      shifted: { everySeconds: 900, offsetSeconds: 60, task: { type: 'clean', queue: 'file_tasks' } },
    })
    const all = notes.join('\n')
    expect(all).toContain('every 500 ms: slots are whole seconds')
    // A repeatable job of BullMQ 5, whose data the export does not have.
    expect(Object.hasOwn(shown, 'legacy')).toBe(name === 'bullmq-5.81')
    if (name === 'bullmq-5.81') expect(all).toContain('read it with --from-redis')
  })
})

describe('job schedulers of BullMQ', () => {
  const nowMs = Date.UTC(2026, 10, 30, 12)
  const exported = (...schedulers: readonly object[]) => JSON.stringify([{ queue: 'email_tasks', schedulers }])

  it('become schedules of the same job in the same queue', () => {
    const { specs, notes } = rendered(
      importJobSchedulers(
        exported(
          {
            key: 'digest',
            name: 'send-digest',
            pattern: '0 30 2 * * *',
            tz: 'Europe/Berlin',
            endDate: Date.UTC(2030, 0),
            limit: 10,
            iterationCount: 4,
            next: nowMs + 1000,
            template: {
              data: { a: 1 },
              opts: { attempts: 3, backoff: { type: 'fixed', delay: 1500 }, priority: 1, removeOnComplete: true },
            },
          },
          { key: 'poll', name: 'poll', every: 60_000, offset: 5000, template: {} },
        ),
        nowMs,
      ),
    )
    expect(specs).toEqual([
      {
        schedules: ['0 30 2 * * *'],
        timeZone: 'Europe/Berlin',
        endTime: '2030-01-01T00:00:00Z',
        maxRuns: 7,
        task: {
          type: 'send-digest',
          queue: 'email_tasks',
          payload: { a: 1 },
          retry: { maxRetries: 2, initialDelaySeconds: 2 },
          priority: 100,
        },
      },
      { everySeconds: 60, offsetSeconds: 5, task: { type: 'poll', queue: 'email_tasks' } },
    ])
    for (const note of [
      'BullMQ runs it an hour later',
      'limit 10 became maxRuns 7',
      'removeOnComplete (true)',
      'that of BullMQ was fixed',
      'queue.removeJobScheduler("digest")',
    ])
      expect(notes.join('\n')).toContain(note)
  })

  it('what has no counterpart is a comment', () => {
    const { converted, notes } = rendered(
      importJobSchedulers(
        exported(
          { key: 'fast', name: 'fast', every: 500 },
          { key: 'done', name: 'done', every: 1000, limit: 2, iterationCount: 2 },
          { key: 'none', name: 'none' },
          { key: 'ended', name: 'ended', every: 1000, endDate: nowMs - 1 },
        ),
        nowMs,
      ),
    )
    expect(converted).toBe(0)
    for (const note of ['every 500 ms: slots are whole seconds', 'It has had all of its runs', 'neither pattern nor every'])
      expect(notes.join('\n')).toContain(note)
  })

  const job = (count: number, hasBegun: boolean) => ({ nextJob: { opts: JSON.stringify({ repeat: { count } }), hasBegun } })
  it.each<[string, object, number | undefined]>([
    ['the next job has not begun', job(4, false), 7],
    ['the next job has begun, and is the newest', job(4, true), 6],
    ['an upsert began to count anew', { ...job(1, false), iterationCount: 8 }, 10],
    ['the last job has not begun', job(10, false), 1],
    ['the last job has begun', { ...job(10, true), next: nowMs + 1000 }, undefined],
    ['only the count of the scheduler is known, and its next job is due later', { iterationCount: 4, next: nowMs + 1000 }, 7],
    ['only the count of the scheduler is known, and its next job was due', { iterationCount: 4, next: nowMs - 1000 }, 6],
    ['nothing is known', {}, 10],
  ])('a limit of 10 leaves the runs that have not begun: %s', (_, more, maxRuns) => {
    const { specs } = rendered(importJobSchedulers(exported({ key: 'a', name: 'a', every: 1000, limit: 10, ...more }), nowMs))
    expect(specs[0]?.['maxRuns']).toBe(maxRuns)
  })

  it('the offset of the moment at which a scheduler was created becomes whole seconds', () => {
    const { specs, notes } = rendered(importJobSchedulers(exported({ key: 'a', name: 'a', every: 60_000, offset: 34_567 }), nowMs))
    expect(specs).toMatchObject([{ everySeconds: 60, offsetSeconds: 34 }])
    expect(notes.join()).toContain('offset 34567 ms became offsetSeconds 34: slots are whole seconds')
  })

  it('a repeatable job of a BullMQ before 6 says what it is, and how it is removed', () => {
    const legacy = { key: 'd41d8cd98f00b204e9800998ecf8427e', name: 'send-digest', isLegacy: true, pattern: '0 1 * * *', tz: 'UTC' }
    const { specs, notes } = rendered(
      importJobSchedulers(
        exported(
          { ...legacy, template: { data: '{"id":1}', opts: '{"attempts":2,"repeat":{"limit":5,"count":2}}' }, ...job(2, false) },
          legacy,
        ),
        nowMs,
      ),
    )
    expect(specs).toMatchObject([
      { schedules: ['0 1 * * *'], maxRuns: 4, task: { type: 'send-digest', payload: { id: 1 }, retry: { maxRetries: 1 } } },
      { schedules: ['0 1 * * *'], task: { type: 'send-digest' } },
    ])
    for (const note of [
      'BullMQ repeatable job "d41d8cd98f00b204e9800998ecf8427e" of queue "email_tasks"',
      'workers of BullMQ 6 do not repeat it',
      'Its next job is not in the queue, so its data and options are not known',
      'queue.removeRepeatableByKey("d41d8cd98f00b204e9800998ecf8427e") of BullMQ 5',
    ])
      expect(notes.join('\n')).toContain(note)
  })

  it('data that is no object is said, not dropped', () => {
    const { notes } = rendered(importJobSchedulers(exported({ key: 'a', name: 'a', every: 1000, template: { data: '[1,2]' } }), nowMs))
    expect(notes.join()).toContain('Its data is no object but [1,2]: task.payload is one')
  })

  it.each([
    ['nothing', 'is not JSON: '],
    ['[{"queue": 1}]', 'is not a list of queues with their schedulers'],
  ])('%j is refused', (text, message) => {
    expect(() => importJobSchedulers(text, nowMs)).toThrow(message)
  })
})

it.each<[string, readonly Draft[], string]>([
  [
    'kwargs of Celery',
    importBeatSchedule(
      '{"entries": {"a": {"task": "t", "args": [], "kwargs": {"ids": [1, 1175930294816452671]}, "schedule": {"seconds": 60}}}}',
    ),
    'spec.task.payload.ids[1]',
  ],
  [
    'data of BullMQ',
    importJobSchedulers(
      '[{"queue": "q", "schedulers": [{"key": "a", "every": 60000, "template": {"data": "{\\"id\\": 1175930294816452671}"}}]}]',
      0,
    ),
    'spec.task.payload.id',
  ],
  [
    'a CronJob',
    importCronJobs(cronJob('schedule: "@daily"').replace('backoffLimit: 2', 'activeDeadlineSeconds: 1175930294816452671')),
    'spec.job.spec.activeDeadlineSeconds',
  ],
])('a number that would be rounded is refused with its field: %s', (_, drafts, field) => {
  const { converted, notes } = rendered(drafts)
  expect(converted).toBe(0)
  expect(notes.join('\n')).toContain(`${field}: 1175930294816452671 would arrive as 1175930294816452600`)
})

// Parsers of YAML 1.1 end a line at each of these, also within a comment or a text without quotes.
it.each(['\r', '\n', '\u0085', '\u2028', '\u2029'])('nothing that was exported becomes a line of its own: %j', (end) => {
  const odd = `a${end}kind: Secret\u007f\ufeff`
  const entry = { task: odd, args: [], kwargs: { [odd]: odd }, options: { [odd]: odd }, schedule: { seconds: 60 } }
  const { text, specs } = rendered([
    ...importBeatSchedule(
      JSON.stringify({ default_queue: 'q', entries: { [odd]: entry, dusk: { task: odd, schedule: { solar: [odd] } } } }),
    ),
    ...importCronJobs(JSON.stringify({ apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: odd, namespace: odd } })),
  ])
  expect(text.split(/[\r\n\u0085\u2028\u2029]/u).filter((line) => line.startsWith('kind: '))).toEqual(['kind: TaskSchedule'])
  expect(text).not.toMatch(/[\r\u007f-\u009f\u2028\u2029\ufeff]/u)
  expect(specs).toEqual([{ everySeconds: 60, task: { type: odd, queue: 'q', payload: { [odd]: odd } } }])
})

it('names that are alike get numbers', () => {
  const draft = (name: string): Draft => ({ origin: name, name, notes: [], spec: { everySeconds: 60, task: { type: 't', queue: 'q' } } })
  const { names } = rendered(['a b', 'a_b', 'ä', '', 'x'.repeat(200)].map(draft))
  expect(names).toEqual([{ name: 'a-b' }, { name: 'a-b-2' }, { name: 'schedule' }, { name: 'schedule-2' }, { name: 'x'.repeat(55) }])
})
