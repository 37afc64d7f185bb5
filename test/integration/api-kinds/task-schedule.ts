import { taskSchedule } from '../../../src/api/index.ts'
import { jobTemplate, jobWords } from './job-template.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const least = {
  apiVersion,
  kind: 'TaskSchedule',
  metadata: { name: 'least' },
  spec: { everySeconds: 900, task: { type: 'backup', queue: 'files' } },
  status: {},
}

const graph = {
  ...least,
  metadata: { name: 'graph' },
  spec: {
    everySeconds: 900,
    dependencyRef: { name: 'morning-summary' },
    parameters: { day: '$(slot)', deep: [{ any: [null, true, 1.5] }] },
  },
}

const shifted = { ...least, metadata: { name: 'shifted' }, spec: { ...least.spec, offsetSeconds: 60 } }

const single = {
  ...least,
  metadata: { name: 'single' },
  spec: { at: ['2026-12-24T18:00:00+01:00', '2026-12-31T23:00:00Z'], task: least.spec.task },
}

const ofJob = { ...least, metadata: { name: 'of-job' }, spec: { everySeconds: 900, job: jobTemplate } }

/** What a CronJob carries out is a Job by one expression. */
const followed = {
  ...least,
  metadata: { name: 'followed' },
  spec: { schedules: ['H 1 * * SUN'], engine: 'CronJob', driftPolicy: 'Report', job: jobTemplate },
}

const calendar = {
  name: 'nights',
  dates: ['2026-12-25', '12-24/01-02'],
  weekdays: ['SAT', 'SUN'],
  windows: [{ from: '22:00', to: '06:00' }],
}
const file = { name: 'file', configMapRef: { name: 'holidays', key: 'de.ics' } }

const byFiles = {
  ...least,
  metadata: { name: 'by-files' },
  spec: { ...least.spec, calendars: { exclude: [file], include: [file] } },
}

/** Words that no entry of such a list of calendars may have. */
const calendarWords = (list: string): KindCase['words'] => [
  { field: list, values: [{ name: 'nothing' }, { name: 'both', weekdays: ['MON'], configMapRef: { name: 'a', key: 'b' } }] },
  { field: `${list}.name`, values: ['Nights', 'at night', '-a'] },
  { field: `${list}.dates[0]`, values: ['2026-12', '25.12.2026', '2026-12-25/12-31', '1926-12-25', '12-24/01-02/01-03'] },
  {
    field: `${list}.configMapRef.name`,
    at: list,
    values: ['Holidays', '-a'].map((name) => ({ ...file, configMapRef: { name, key: 'de.ics' } })),
  },
  {
    field: `${list}.configMapRef.key`,
    at: list,
    values: ['a b', 'a/b'].map((key) => ({ ...file, configMapRef: { name: 'holidays', key } })),
  },
  { field: `${list}.windows[0].from`, values: ['24:00', '7:00', '22:60', '22:00:00'] },
  { field: `${list}.windows[0].to`, values: ['24:01', '7:00'] },
]

/** Of schedules and everySeconds there is only one, and of what it starts. */
const full = {
  apiVersion,
  kind: 'TaskSchedule',
  metadata: { name: 'full' },
  spec: {
    brokerRef: { name: 'mail' },
    schedules: ['0 1 * * 0', '@daily'],
    jitterSeconds: 600,
    timeZone: 'Europe/Berlin',
    calendars: {
      exclude: [calendar],
      include: [{ ...calendar, name: 'days', windows: [{ from: '00:00', to: '24:00' }] }],
    },
    dst: { gap: 'Skip', overlap: 'Both' },
    startTime: '2026-01-01T00:00:00+01:00',
    endTime: '2027-12-31T23:59:59Z',
    maxRuns: 100,
    suspend: false,
    concurrencyPolicy: 'Queue',
    queueLimit: 5,
    concurrencyGroup: { name: 'warehouse', limit: 2 },
    dependsOnPast: true,
    missedRuns: 'All',
    missedRunsLimit: 5,
    startingDeadlineSeconds: 21_600,
    pendingDeadlineSeconds: 600,
    runDeadlineSeconds: 3600,
    onDeadline: 'Cancel',
    deletionPolicy: 'Orphan',
    engine: 'Taskmill',
    task: {
      type: 'backup-user-data',
      queue: 'file_tasks',
      payload: { retainDays: 30, slot: '$(slot)', deep: [{ any: [null, true, 1.5] }] },
      priority: 50,
      retry: { maxRetries: 3, initialDelaySeconds: 3600 },
    },
    override: { until: '2026-01-01T09:00:00Z', by: 'oncall', reason: 'incident 4711', suspend: true },
  },
  status: {
    conditions,
    observedGeneration: 1,
    schedule: '0 1 * * 0; @daily',
    timeZone: 'Europe/Berlin',
    nextRuns: ['2026-11-29T00:00:00Z', '2026-11-29T23:00:00Z'],
    next: '2026-11-29T00:00Z',
    activeRuns: 1,
    active: [{ slotTime: '2026-01-01T08:00:00Z', run: 'job/full-1a2b3c4d', startedTime: '2026-01-01T08:00:01Z', waitingFor: 'a pod' }],
    waitingSlots: 2,
    dispatchedRuns: 12,
    lastScheduleTime: '2026-01-01T08:00:00Z',
    lastSuccessTime: '2026-01-01T07:00:05Z',
    lastSuccessSlotTime: '2026-01-01T07:00:00Z',
    lastSuccessResult: '{"files":12}',
    lastFailureTime: '2026-01-01T08:00:05Z',
    lastFailureReason: 'AttemptsExhausted',
    lastFailureMessage: 'the disk is full',
    lastResult: 'Failed',
    consecutiveFailures: 3,
    recentRuns: [
      {
        slotTime: '2026-01-01T08:00:00Z',
        result: 'Failed',
        reason: 'AttemptsExhausted',
        finishTime: '2026-01-01T08:00:05Z',
        durationSeconds: 4,
        attempts: 4,
      },
    ],
    missedRuns: [{ reason: 'Overlap', count: 2, lowerBound: true, lastSlotTime: '2026-01-01T06:00:00Z' }],
    reason: 'AttemptsExhausted',
  },
}

export const taskScheduleCase: KindCase = {
  kind: taskSchedule,
  full,
  alternatives: [
    { path: ['spec', 'driftPolicy'], object: followed },
    { path: ['spec', 'everySeconds'], object: least },
    { path: ['spec', 'offsetSeconds'], object: shifted },
    { path: ['spec', 'at'], object: single },
    ...['exclude', 'include'].map((list) => ({ path: ['spec', 'calendars', list, 0, 'configMapRef'], object: byFiles })),
    { path: ['spec', 'job'], object: ofJob },
    { path: ['spec', 'dependencyRef'], object: graph },
    { path: ['spec', 'parameters'], object: graph },
  ],
  least: {
    object: least,
    spec: {
      ...least.spec,
      brokerRef: { name: 'default' },
      timeZone: 'UTC',
      suspend: false,
      concurrencyPolicy: 'Allow',
      missedRuns: 'Latest',
      missedRunsLimit: 10,
      deletionPolicy: 'Delete',
      engine: 'Taskmill',
      task: { ...least.spec.task, retry: { maxRetries: 0, initialDelaySeconds: 10 } },
    },
  },
  words: [
    {
      field: 'spec',
      values: [
        { schedules: ['0 1 * * *'], everySeconds: 900, task: least.spec.task },
        { everySeconds: 900, at: ['2026-12-24T18:00:00Z'], task: least.spec.task },
      ],
    },
    { field: 'spec.calendars', values: [{}] },
    ...['spec.calendars.exclude[0]', 'spec.calendars.include[0]'].flatMap(calendarWords),
    { field: 'spec.dependencyRef.name', at: 'spec.dependencyRef', values: ['Graph', '-a'].map((name) => ({ name })) },
    ...jobWords('spec.job', 'spec.job', (job) => job),
    { field: 'spec.concurrencyGroup.name', values: ['Warehouse', '-a', 'a_b', 'a b'] },
    { field: 'spec.brokerRef.name', values: ['Default', '-a', 'a_b'] },
    { field: 'spec.brokerRef', values: [{ name: 'other' }, undefined] },
    { field: 'spec.task.queue', values: ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n'] },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'SCHEDULE', 'TZ', 'ACTIVE', 'LAST', 'RESULT', 'FAILS', 'NEXT', 'REASON'],
    row: /^full +0 1 \* \* 0; @daily +Europe\/Berlin +1 +\d+[smhdy]\S* +Failed +3 +2026-11-29T00:00Z +AttemptsExhausted$/u,
  },
  badManifests: [
    {
      title: 'a schedule with two ways of saying when',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          everySeconds: 900
          task: { type: backup, queue: files }
      `,
      answer: 'spec.schedules: Invalid value: "object": exactly one of schedules, everySeconds, at must be set',
    },
    {
      title: 'an interval in a time zone',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: quarterly }
        spec:
          everySeconds: 900
          timeZone: Europe/Berlin
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.timeZone: Invalid value: "object": timeZone goes with schedules and calendars only: everySeconds counts from 1970-01-01T00:00:00Z in every time zone, and each time in at has its own offset. Remove timeZone',
    },
    {
      title: 'an entry of a calendar that names nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          calendars: { exclude: [{ name: nights }] }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.calendars.exclude[0]: Invalid value: "object": set configMapRef alone, or at least one of dates, weekdays and windows',
    },
    {
      title: 'an entry of days to keep that names nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          calendars: { include: [{ name: days }] }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.calendars.include[0]: Invalid value: "object": set configMapRef alone, or at least one of dates, weekdays and windows',
    },
    {
      title: 'a day of the week in full words in exclude',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          calendars: { exclude: [{ name: days, weekdays: [Monday] }] }
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.calendars.exclude[0].weekdays[0]: Unsupported value: "Monday": supported values: "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"',
    },
    {
      title: 'a day of the week in full words in include',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          calendars: { include: [{ name: days, weekdays: [Monday] }] }
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.calendars.include[0].weekdays[0]: Unsupported value: "Monday": supported values: "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"',
    },
    {
      title: 'a deadline that does something else',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          runDeadlineSeconds: 60
          onDeadline: Kill
          task: { type: backup, queue: files }
      `,
      answer: 'spec.onDeadline: Unsupported value: "Kill": supported values: "Abandon", "Cancel"',
    },
    {
      title: 'a status of a run with an outcome of its own',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: full }
        status:
          recentRuns:
          - { slotTime: 2026-11-29T01:00:00Z, result: Cancelled, finishTime: 2026-11-29T01:00:01Z }
      `,
      answer: 'status.recentRuns[0].result: Unsupported value: "Cancelled": supported values: "Succeeded", "Failed", "Replaced"',
    },
    {
      title: 'calendars without a list',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          calendars: {}
          task: { type: backup, queue: files }
      `,
      answer: 'spec.calendars: Invalid value: "object": exclude or include must be set',
    },
    {
      title: 'a change of clocks for an interval',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 3600
          dst: { gap: Skip }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.dst: Invalid value: "object": dst goes with schedules only: no change of clocks moves everySeconds and at. Remove dst',
    },
    {
      title: 'a change of clocks for single times',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          at: ["2026-12-24T18:00:00Z"]
          dst: {}
          task: { type: backup, queue: files }
      `,
      answer: 'spec.dst: Invalid value: "object": dst goes with schedules only: no change of clocks moves everySeconds and at. Remove dst',
    },
    {
      title: 'a gap in other words',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["30 2 * * *"]
          dst: { gap: Run }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.dst.gap: Unsupported value: "Run": supported values: "RunAfterGap", "Skip"',
    },
    {
      title: 'an overlap in other words',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["30 2 * * *"]
          dst: { overlap: Twice }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.dst.overlap: Unsupported value: "Twice": supported values: "First", "Both"',
    },
    {
      title: 'a time zone of single times',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          at: ["2026-12-24T18:00:00Z"]
          timeZone: Europe/Berlin
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.timeZone: Invalid value: "object": timeZone goes with schedules and calendars only: everySeconds counts from 1970-01-01T00:00:00Z in every time zone, and each time in at has its own offset. Remove timeZone',
    },
    {
      title: 'a start of single times',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          at: ["2026-12-24T18:00:00Z"]
          startTime: "2026-12-01T00:00:00Z"
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.startTime: Invalid value: "object": startTime does not go with at: leave out the times before it instead. Remove startTime',
    },
    {
      title: 'an end of single times',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          at: ["2026-12-24T18:00:00Z"]
          endTime: "2026-12-31T00:00:00Z"
          task: { type: backup, queue: files }
      `,
      answer: 'spec.endTime: Invalid value: "object": endTime does not go with at: leave out the times after it instead. Remove endTime',
    },
    {
      title: 'an end before the start',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          startTime: "2026-12-24T18:00:00Z"
          endTime: "2026-12-24T18:30:00+01:00"
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.endTime: Invalid value: "object": endTime must be after startTime, because slots are due between them. Write a later endTime, or an earlier startTime',
    },
    {
      title: 'a single time without an offset',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          at: ["2026-12-24T18:00:00"]
          task: { type: backup, queue: files }
      `,
      answer: 'spec.at[0]: Invalid value: "2026-12-24T18:00:00": spec.at[0] in body must be of type date-time: "2026-12-24T18:00:00"',
    },
    {
      title: 'a schedule that never runs',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          maxRuns: 0
          task: { type: backup, queue: files }
      `,
      answer: 'spec.maxRuns: Invalid value: 0: spec.maxRuns in body should be greater than or equal to 1',
    },
    {
      title: 'an offset of cron expressions',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          offsetSeconds: 60
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.offsetSeconds: Invalid value: "object": offsetSeconds goes with everySeconds only; a cron expression names its minutes and seconds. Remove offsetSeconds',
    },
    {
      title: 'an offset as long as the interval',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: quarterly }
        spec:
          everySeconds: 900
          offsetSeconds: 900
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.offsetSeconds: Invalid value: "object": offsetSeconds must be below everySeconds, because it shifts each slot within its interval. Write 0 to everySeconds - 1',
    },
    {
      title: 'a delay as long as the interval',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: quarterly }
        spec:
          everySeconds: 900
          jitterSeconds: 900
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.jitterSeconds: Invalid value: "object": jitterSeconds must be below everySeconds, because a run is due before the next slot. Write 0 to everySeconds - 1',
    },
    {
      title: 'a delay of more than a year',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: yearly }
        spec:
          schedules: ["@yearly"]
          jitterSeconds: 40000000
          task: { type: backup, queue: files }
      `,
      answer: 'spec.jitterSeconds: Invalid value: 40000000: spec.jitterSeconds in body should be less than or equal to 31622400',
    },
    {
      title: 'runs that replace each other, and are all to run',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          concurrencyPolicy: Replace
          missedRuns: All
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.missedRuns: Invalid value: "object": with concurrencyPolicy Replace only the newest slot runs, so missedRuns All has no effect. Set missedRuns: Latest, or concurrencyPolicy: Queue to run them all',
    },
    {
      title: 'slots that wait for a success, and do not wait',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          concurrencyPolicy: Allow
          dependsOnPast: true
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.dependsOnPast: Invalid value: "object": with dependsOnPast slots wait for the run before them, which they do with concurrencyPolicy Queue only. Set concurrencyPolicy: Queue, or remove dependsOnPast',
    },
    {
      title: 'a concurrency group for slots that do not wait',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          concurrencyPolicy: Forbid
          concurrencyGroup: { name: warehouse, limit: 2 }
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.concurrencyGroup: Invalid value: "object": with concurrencyGroup slots wait for room in the group, which they do with concurrencyPolicy Queue only. Set concurrencyPolicy: Queue, or remove concurrencyGroup',
    },
    {
      title: 'a name of a concurrency group with capitals',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          concurrencyPolicy: Queue
          concurrencyGroup: { name: Warehouse, limit: 2 }
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.concurrencyGroup.name: Invalid value: "Warehouse": spec.concurrencyGroup.name in body should match \'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$\'',
    },
    {
      title: 'a concurrency group without room',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          concurrencyPolicy: Queue
          concurrencyGroup: { name: warehouse, limit: 0 }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.concurrencyGroup.limit: Invalid value: 0: spec.concurrencyGroup.limit in body should be greater than or equal to 1',
    },
    {
      title: 'a limit for slots that do not wait',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          concurrencyPolicy: Forbid
          queueLimit: 3
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.queueLimit: Invalid value: "object": queueLimit goes with concurrencyPolicy Queue only: no slot waits otherwise. Remove queueLimit, or set concurrencyPolicy: Queue',
    },
    {
      title: 'what a deadline does, without a deadline',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          onDeadline: Cancel
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.onDeadline: Invalid value: "object": onDeadline says what runDeadlineSeconds does to a run, and that is not set. Set runDeadlineSeconds, or remove onDeadline',
    },
    {
      title: 'a schedule that starts nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec: { everySeconds: 900 }
      `,
      answer: 'spec.task: Invalid value: "object": exactly one of task, job, dependencyRef must be set',
    },
    {
      title: 'a schedule that starts a task and a graph',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          task: { type: backup, queue: files }
          dependencyRef: { name: morning-summary }
      `,
      answer: 'spec.task: Invalid value: "object": exactly one of task, job, dependencyRef must be set',
    },
    {
      title: 'a slot for a Job that nobody starts',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          job: { spec: { suspend: true, template: { spec: { restartPolicy: Never, containers: [{ name: main, image: "app:1" }] } } } }
      `,
      answer: 'spec.job.spec.suspend: Invalid value: "object": suspend cannot be true: the Job would never start. Remove suspend',
    },
    {
      title: 'a slot for a Job that selects pods by itself',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          job: { spec: { manualSelector: true, template: { spec: { restartPolicy: Never, containers: [{ name: main, image: "app:1" }] } } } }
      `,
      answer:
        'spec.job.spec.manualSelector: Invalid value: "object": manualSelector cannot be true: every run is a Job with pods of its own. Remove manualSelector and selector',
    },
    {
      title: 'a slot for a Job whose pods are to be restarted for ever',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          job: { spec: { template: { spec: { restartPolicy: Always, containers: [{ name: main, image: "app:1" }] } } } }
      `,
      answer: 'spec.job.spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "Never", "OnFailure"',
    },
    {
      title: 'parameters for a task',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          everySeconds: 900
          task: { type: backup, queue: files }
          parameters: { retainDays: 1 }
      `,
      answer:
        'spec.parameters: Invalid value: "object": parameters go with dependencyRef only; a task has its payload, a job its args. Remove parameters',
    },
    {
      title: 'a schedule that moves to another broker',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: full }
        spec:
          brokerRef: { name: other }
          schedules: ["0 1 * * *"]
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.brokerRef: Forbidden: brokerRef cannot be changed: the ledger would stay behind. Create another TaskSchedule for the other broker.',
    },
    {
      title: 'a concurrency policy of another tool',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          concurrencyPolicy: Enqueue
          task: { type: backup, queue: files }
      `,
      answer: 'spec.concurrencyPolicy: Unsupported value: "Enqueue": supported values: "Allow", "Forbid", "Replace", "Queue"',
    },
    {
      title: 'runs to catch up with in other words',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          missedRuns: Catchup
          task: { type: backup, queue: files }
      `,
      answer: 'spec.missedRuns: Unsupported value: "Catchup": supported values: "Latest", "Skip", "All"',
    },
    {
      title: 'a deletion policy of garbage collection',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          deletionPolicy: Foreground
          task: { type: backup, queue: files }
      `,
      answer: 'spec.deletionPolicy: Unsupported value: "Foreground": supported values: "Delete", "Orphan"',
    },
    {
      title: 'an engine that does not exist',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          engine: Celery
          task: { type: backup, queue: files }
      `,
      answer: 'spec.engine: Unsupported value: "Celery": supported values: "Taskmill", "CronJob", "BullMQ"',
    },
    {
      title: 'a CronJob that is to put a task into a queue',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.engine: Invalid value: "object": a CronJob creates Kubernetes Jobs only. Set job instead of task or dependencyRef, or engine: Taskmill',
    },
    {
      title: 'a CronJob with two expressions',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *", "0 2 * * *"]
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a CronJob has one expression. Write exactly one in schedules, or set engine: Taskmill',
    },
    {
      title: 'a CronJob by an interval',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          everySeconds: 900
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a CronJob has one expression. Write exactly one in schedules, or set engine: Taskmill',
    },
    {
      title: 'a CronJob with seconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 0 1 * * *"]
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a CronJob reads five fields without L, W and #: minute, hour, day of month, month, day of week. Write such an expression, or set engine: Taskmill',
    },
    {
      title: 'a CronJob on the last day of a month',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 L * *"]
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a CronJob reads five fields without L, W and #: minute, hour, day of month, month, day of week. Write such an expression, or set engine: Taskmill',
    },
    {
      title: 'a CronJob on the nearest working day',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 15W * *"]
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a CronJob reads five fields without L, W and #: minute, hour, day of month, month, day of week. Write such an expression, or set engine: Taskmill',
    },
    {
      title: 'a CronJob on the second Monday',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * MON#2"]
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a CronJob reads five fields without L, W and #: minute, hour, day of month, month, day of week. Write such an expression, or set engine: Taskmill',
    },
    {
      title: 'a CronJob with calendars',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          calendars: { exclude: [{ name: weekend, weekdays: [SAT, SUN] }] }
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer: 'spec.calendars: Invalid value: "object": a CronJob knows no calendars. Remove calendars, or set engine: Taskmill',
    },
    {
      title: 'a CronJob with jitterSeconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          jitterSeconds: 600
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.jitterSeconds: Invalid value: "object": a CronJob knows no jitterSeconds. Write H for a field of schedules instead, or set engine: Taskmill',
    },
    {
      title: 'a CronJob with startTime',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          startTime: 2027-01-01T00:00:00Z
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer: 'spec.startTime: Invalid value: "object": a CronJob knows no startTime. Remove startTime, or set engine: Taskmill',
    },
    {
      title: 'a CronJob with endTime',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          endTime: 2027-01-01T00:00:00Z
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer: 'spec.endTime: Invalid value: "object": a CronJob knows no endTime. Remove endTime, or set engine: Taskmill',
    },
    {
      title: 'a CronJob with maxRuns',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          maxRuns: 5
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer: 'spec.maxRuns: Invalid value: "object": a CronJob knows no maxRuns. Remove maxRuns, or set engine: Taskmill',
    },
    {
      title: 'a CronJob whose slots are to wait',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          concurrencyPolicy: Queue
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.concurrencyPolicy: Invalid value: "object": a CronJob lets no slot wait. Set concurrencyPolicy: Allow, Forbid or Replace, or engine: Taskmill',
    },
    {
      title: 'a CronJob that is to make up for all slots',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          missedRuns: All
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.missedRuns: Invalid value: "object": a CronJob makes up for the newest missed slot only. Set missedRuns: Latest or Skip, or engine: Taskmill',
    },
    {
      title: 'a CronJob with pendingDeadlineSeconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          pendingDeadlineSeconds: 60
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.pendingDeadlineSeconds: Invalid value: "object": a CronJob knows no pendingDeadlineSeconds. Set job.spec.activeDeadlineSeconds instead, or engine: Taskmill',
    },
    {
      title: 'a CronJob with runDeadlineSeconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          runDeadlineSeconds: 60
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.runDeadlineSeconds: Invalid value: "object": a CronJob knows no runDeadlineSeconds. Set job.spec.activeDeadlineSeconds instead, or engine: Taskmill',
    },
    {
      title: 'a CronJob that is to run after a gap of clocks',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          dst: { gap: RunAfterGap, overlap: Both }
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.dst: Invalid value: "object": a CronJob skips times that clocks skip, and starts both of those that they show twice. Write dst: {gap: Skip, overlap: Both}, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler that is to create Kubernetes Jobs',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.engine: Invalid value: "object": a job scheduler adds jobs to a queue only. Set task instead of job or dependencyRef, or engine: Taskmill',
    },
    {
      title: 'a job scheduler at single times',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          at: ["2026-12-24T18:00:00Z"]
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.at: Invalid value: "object": a job scheduler knows no single times. Write schedules or everySeconds instead of at, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with two expressions',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *", "0 2 * * *"]
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.schedules: Invalid value: "object": a job scheduler has one expression. Write exactly one in schedules, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with calendars',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          calendars: { exclude: [{ name: free, weekdays: [SUN] }] }
          task: { type: backup, queue: files }
      `,
      answer: 'spec.calendars: Invalid value: "object": a job scheduler leaves no slot out. Remove calendars, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with jitterSeconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          jitterSeconds: 60
          task: { type: backup, queue: files }
      `,
      answer: 'spec.jitterSeconds: Invalid value: "object": a job scheduler delays no job. Remove jitterSeconds, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with maxRuns',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          maxRuns: 3
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.maxRuns: Invalid value: "object": a job scheduler begins to count anew with each edit. Remove maxRuns, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with a deadline for the start',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          startingDeadlineSeconds: 60
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.startingDeadlineSeconds: Invalid value: "object": a job scheduler starts a late run however late it is. Remove startingDeadlineSeconds, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with pendingDeadlineSeconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          pendingDeadlineSeconds: 60
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.pendingDeadlineSeconds: Invalid value: "object": a job scheduler takes no run back. Remove pendingDeadlineSeconds, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler with runDeadlineSeconds',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          runDeadlineSeconds: 60
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.runDeadlineSeconds: Invalid value: "object": a job scheduler ends no run. Remove runDeadlineSeconds, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler of an interval with an end',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          everySeconds: 60
          endTime: "2027-01-01T00:00:00Z"
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.endTime: Invalid value: "object": with everySeconds, a job scheduler adds one more job after its end. Write schedules instead, remove endTime, or set engine: Taskmill',
    },
    {
      title: 'a job scheduler that is to run one job at a time',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          concurrencyPolicy: Forbid
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.concurrencyPolicy: Invalid value: "object": a job scheduler adds jobs whether others run or not. Set concurrencyPolicy: Allow, or engine: Taskmill',
    },
    {
      title: 'a job scheduler that is to make up for nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          missedRuns: Skip
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.missedRuns: Invalid value: "object": a job scheduler makes up for all missed slots with one run. Set missedRuns: Latest, or engine: Taskmill',
    },
    {
      title: 'a job scheduler that is to skip a time',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: BullMQ
          schedules: ["0 1 * * *"]
          dst: { gap: Skip }
          task: { type: backup, queue: files }
      `,
      answer:
        'spec.dst: Invalid value: "object": a job scheduler has a rule of its own for changes of clocks, which is near the default. Remove dst, or set engine: Taskmill',
    },
    {
      title: 'a policy for edits of nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          schedules: ["0 1 * * *"]
          driftPolicy: Report
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer:
        'spec.driftPolicy: Invalid value: "object": driftPolicy goes with another engine only: with engine Taskmill there is nothing that could be edited. Remove driftPolicy',
    },
    {
      title: 'a policy for edits that is none',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: nightly }
        spec:
          engine: CronJob
          schedules: ["0 1 * * *"]
          driftPolicy: Ignore
          job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: backup }] } } } }
      `,
      answer: 'spec.driftPolicy: Unsupported value: "Ignore": supported values: "Repair", "Report"',
    },
    {
      title: 'a condition of a TaskSchedule that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    },
    {
      title: 'a last result that is none',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskSchedule
        metadata: { name: full }
        status:
          lastResult: Maybe
      `,
      answer: 'status.lastResult: Unsupported value: "Maybe": supported values: "Succeeded", "Failed"',
    },
  ],
}
