/** Manifests that the API server admits and a controller does not understand, and the field that both it and lint name. */
type Misunderstood = { readonly kind: string; readonly reason: string; readonly field: string; readonly manifest: string }
type BadSchedule = Misunderstood & { readonly says: string }

/** `says`: what to write instead. */
const schedule = (reason: string, field: string, spec: string, says: string): BadSchedule => ({
  kind: 'TaskSchedule',
  reason,
  field,
  manifest: `apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: a}\nspec: ${spec}\n`,
  says,
})
const task = 'task: {type: t, queue: q}'
const cron = (expression: string, says: string, more = ''): BadSchedule =>
  schedule('InvalidSchedule', 'spec.schedules[0]', `{schedules: [${JSON.stringify(expression)}], ${more}${task}}`, says)
const zone = (timeZone: string, says: string): BadSchedule =>
  schedule('InvalidTimeZone', 'spec.timeZone', `{schedules: ["@daily"], timeZone: ${JSON.stringify(timeZone)}, ${task}}`, says)
const calendar = (field: string, calendars: string, says: string, due = 'everySeconds: 3600'): BadSchedule =>
  schedule('InvalidCalendar', `spec.calendars${field}`, `{${due}, calendars: {${calendars}}, ${task}}`, says)
const payload = (value: string, says: string, { field = '.a', reason = 'InvalidExpression' } = {}): BadSchedule =>
  schedule(reason, `spec.task.payload${field}`, `{everySeconds: 9, task: {type: t, queue: q, payload: {a: ${value}}}}`, says)
const graphOf = (parameters: string, field: string, says: string, reason = 'InvalidExpression'): BadSchedule =>
  schedule(reason, field, `{everySeconds: 9, dependencyRef: {name: g}, parameters: ${parameters}}`, says)
const containerOf = (fields: string, field: string, says: string): BadSchedule =>
  schedule(
    'InvalidExpression',
    `spec.job.spec.template.spec.containers[0].${field}`,
    `{everySeconds: 9, job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: i, ${fields}}]}}}}}`,
    says,
  )
const ofCronJob = (field: string, expression: string, reason: string, says: string): BadSchedule => {
  const args = reason === 'InvalidExpression' ? ', args: [$(slot)]' : ''
  const job = `job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: i${args}}]}}}}`
  return schedule(reason, field, `{engine: CronJob, schedules: [${expression}], timeZone: Europe/Berlin, ${job}}`, says)
}
const oneDay = 'exclude: [{name: a, dates: '
const fieldsOfCron = 'write minute hour day-of-month month day-of-week, with seconds in front if you need them'
const names = 'write @hourly, @daily, @weekly, @monthly or @yearly, or an expression'
const bounds = (from: string, to: string) => `startTime: "${from}T00:00:00Z", endTime: "${to}T00:00:00Z", `
const noDay = 'is never due, because there is no such day; correct day-of-month or month'

/** One or more for each way in which a schedule is misunderstood. Each stands in the cluster with the words that lint has for it, too. */
export const badSchedules: readonly BadSchedule[] = [
  cron('0 1 * *', `has 4 fields, but needs 5 or 6; ${fieldsOfCron}`),
  cron('0 0 1 * * 0 2027', 'has 7 fields, but needs 5 or 6 (there is no field for years)'),
  cron(' ', `has 0 fields, but needs 5 or 6; ${fieldsOfCron}`),
  cron('every day at noon', fieldsOfCron),
  cron('60 * * * *', 'minute "60" is out of range; write 0 to 59'),
  cron('61 0 1 * * *', 'second "61" is out of range; write 0 to 59'),
  cron('0 24 * * *', 'hour "24" is out of range; write 0 to 23'),
  cron('0 1 0 * *', 'day-of-month "0" is out of range; write 1 to 31'),
  cron('0 1 1 13 *', 'month "13" is out of range; write 1 to 12, or JAN to DEC'),
  cron('0 1 * * 8', 'day-of-week "8" is out of range; write 0 to 6, or SUN to SAT'),
  cron('0 1 1 Janv *', 'month "Janv" is not a value of this field; write 1 to 12, or JAN to DEC'),
  cron('0 1 * * Mo', 'day-of-week "Mo" is not a value of this field; write 0 to 6, or SUN to SAT'),
  cron('1.5 * * * *', 'minute "1.5" is not a value of this field; write 0 to 59'),
  cron('0 17-9 * * *', 'hour "17-9" begins after its end; write "17-23,0-9"'),
  cron('*/0 * * * *', 'minute "*/0" has the step 0; write 1 to 60'),
  cron('*/90 * * * *', 'has a step that is longer than the field; write 1 to 60, or use everySeconds for a longer interval'),
  schedule(
    'InvalidSchedule',
    'spec.jitterSeconds',
    `{schedules: ["*/15 * * * *"], jitterSeconds: 900, ${task}}`,
    'a run is due before the next slot, so it cannot be delayed by 900 s: the slots are 900 s apart; write 0 to 899',
  ),
  cron('*/x * * * *', 'has a step that is not a number; write one from 1 to 60'),
  cron('0,, 1 * * *', 'is a list with an empty entry; write the values with one comma between them'),
  cron('@everyday', `is not a known name; ${names}`),
  cron('@reboot', `is not a known name; ${names}`),
  cron('@every 5m', 'is not a cron expression; use everySeconds instead'),
  cron('CRON_TZ=Europe/Berlin 0 1 * * *', 'contains a time zone; write it in timeZone'),
  cron('0 L * * *', 'hour "L" is not a value of this field; write 0 to 23'),
  cron('0 1 * * MON#6', 'write FRI#1 to FRI#5, or FRI#L for the last one'),
  cron('0 1 W * *', 'write L for the last day, LW for the last workday, or 15W for the workday nearest to the 15th'),
  cron('H(0-59)/70 0 * * *', 'write 1 to 60'),
  cron('H(30-10) * * * *', 'begins after its end; write the lower value first'),
  cron('H(0-70) * * * *', 'is out of range; write 0 to 59'),
  cron('0 0 30 2 *', noDay),
  cron('0 1 31 4,6,9,11 *', noDay),
  cron('30 2 * 3 SUN#L', 'dst', 'timeZone: Europe/Berlin, dst: {gap: Skip}, '),
  schedule(
    'InvalidSchedule',
    'spec.endTime',
    `{schedules: ["@yearly"], ${bounds('2026-02-01', '2026-12-31')}${task}}`,
    'no slot is due from startTime to endTime; write a later time',
  ),
  schedule(
    'InvalidSchedule',
    'spec.endTime',
    `{everySeconds: 31536000, ${bounds('2027-02-01', '2027-02-02')}${task}}`,
    'no slot is due from startTime to endTime; write a later time',
  ),
  zone('Mars/Base', 'is not a time zone; write an IANA name such as "Europe/Berlin", or "UTC"'),
  zone('CEST', 'write an IANA name such as "Europe/Berlin", or "UTC"'),
  zone('Local', 'write an IANA name such as "Europe/Berlin", or "UTC"'),
  zone('+02:00', 'is an offset and not a time zone; write an IANA name such as "Europe/Berlin"'),
  zone('UTC+2', '"Etc/GMT-2" if the clocks there never change (its sign is reversed)'),
  zone('europe/berlin', 'is not how this time zone is written; write "Europe/Berlin"'),
  calendar('.exclude[0].dates[0]', `${oneDay}["02-30"]}]`, 'is a day that does not exist; correct its month or its day'),
  calendar('.exclude[0].dates[0]', `${oneDay}["2027-02-29"]}]`, 'is a day that does not exist; correct its month or its day'),
  calendar('.exclude[0].dates[0]', `${oneDay}["2027-03-02/2027-03-01"]}]`, 'ends before it begins; write "2027-03-01/2027-03-02"'),
  calendar(
    '.exclude[0].windows[0]',
    'exclude: [{name: a, windows: [{from: "08:00", to: "08:00"}]}]',
    'for a whole day write from: "00:00" and to: "24:00", or leave windows out',
  ),
  calendar('', 'include: [{name: a, weekdays: [MON]}]', 'correct include, or the times of the schedule', 'schedules: ["0 1 * * SUN"]'),
  calendar(
    '',
    'exclude: [{name: a, weekdays: [MON, TUE, WED, THU, FRI, SAT, SUN]}]',
    'exclude leaves no slot of this schedule; correct exclude',
  ),
  calendar(
    '',
    'include: [{name: a, weekdays: [MON]}], exclude: [{name: b, weekdays: [MON]}]',
    'include and exclude leave no slot of this schedule; correct them, or the times of the schedule',
  ),
  payload('$(slott)', 'known names: slot; write text in quotes'),
  payload('"$(slot"', 'is not closed with ")"; write "$$(" for a literal "$("'),
  payload('$(now())', 'docs/expressions.md lists the functions'),
  payload('"$(slot + 1)"', 'both sides must have the same type, or be numbers', { field: '' }),
  payload('"$(1 / 0)"', 'check first: b != 0 ? a / b : 0', { field: '' }),
  payload('1175930294816452671', 'write it as text, in quotes: "1175930294816452671"', { reason: 'InvalidNumber' }),
  payload('a'.repeat(262_144), 'Next: store the data elsewhere and pass a reference', { field: '', reason: 'PayloadTooLarge' }),
  graphOf('{a: [$(slott)]}', 'spec.parameters.a[0]', 'known names: slot'),
  graphOf('{a: [{id: -9007199254740993}]}', 'spec.parameters.a[0].id', 'write it as text, in quotes', 'InvalidNumber'),
  containerOf('args: ["$(HOME)"]', 'args[0]', 'write $$(NAME) for a variable that Kubernetes fills in'),
  ofCronJob('spec.job.spec.template.spec.containers[0].args[0]', '"@daily"', 'InvalidExpression', 'Set engine: Taskmill'),
  ofCronJob('spec.schedules[0]', '"30 2 * * SUN"', 'InvalidSchedule', 'Write dst: {gap: Skip, overlap: Both}'),
  containerOf('env: [{name: A, value: "$(slot."}]', 'env[0].value', 'write $$(NAME) for a variable that Kubernetes fills in'),
]

const graph = (reason: string, field: string, nodes: string): Misunderstood => ({
  kind: 'TaskDependency',
  reason,
  field,
  manifest: `apiVersion: taskmill.dev/v1alpha1\nkind: TaskDependency\nmetadata: {name: a}\nspec: {${nodes}}\n`,
})

export const misunderstood: readonly Misunderstood[] = [
  ...badSchedules,
  graph(
    'Cycle',
    'spec.nodes[0].dependsOn[0]',
    `nodes: [{name: a, dependsOn: [{name: b}], ${task}}, {name: b, dependsOn: [{name: a}], ${task}}]`,
  ),
  graph('UnknownNode', 'spec.nodes[0].dependsOn[0]', `nodes: [{name: a, dependsOn: [{name: x}], ${task}}]`),
  graph('DuplicateNode', 'spec.finally[0].name', `nodes: [{name: a, ${task}}], finally: [{name: a, ${task}}]`),
  graph(
    'FinallyDependency',
    'spec.nodes[0].dependsOn[0]',
    `nodes: [{name: a, dependsOn: [{name: b}], ${task}}], finally: [{name: b, ${task}}]`,
  ),
  graph(
    'InvalidExpression',
    'spec.nodes[0].job.spec.template.spec.containers[0].args[0]',
    `nodes: [{name: a, job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: i, args: ["$(HOME)"]}]}}}}}]`,
  ),
  graph('Cycle', 'spec.nodes[0].dependsOn[0]', `nodes: [{name: a, dependsOn: [{name: a}], ${task}}]`),
  graph('InvalidExpression', 'spec.nodes[0].when', `nodes: [{name: a, when: nodes.b.result, ${task}}]`),
  graph('InvalidNumber', 'spec.parameters.id', `parameters: {id: 1175930294816452671}, nodes: [{name: a, ${task}}]`),
  graph(
    'InvalidNumber',
    'spec.finally[0].task.payload.id',
    `nodes: [{name: a, ${task}}], finally: [{name: b, task: {type: t, queue: q, payload: {id: 9223372036854775807}}}]`,
  ),
  graph('InvalidExpression', 'spec.nodes[0].when', `nodes: [{name: a, when: "1 + 'x' == 2", ${task}}]`),
  graph('InvalidExpression', 'spec.nodes[0].when', `nodes: [{name: a, when: "'yes'", ${task}}]`),
  {
    kind: 'TaskAlert',
    reason: 'InvalidMessage',
    field: 'spec.message',
    manifest:
      'apiVersion: taskmill.dev/v1alpha1\nkind: TaskAlert\nmetadata: {name: a}\n' +
      'spec: {target: {kind: WorkerPool, name: a}, queueBacklog: {above: 1}, message: "$(target.nam"}\n',
  },
  {
    kind: 'TaskExecution',
    reason: 'Failed',
    field: 'spec.task.payload.a',
    manifest:
      'apiVersion: taskmill.dev/v1alpha1\nkind: TaskExecution\nmetadata: {name: a}\nspec: {task: {type: t, queue: q, payload: {a: $(slott)}}}\n',
  },
]

/** Reasons of Stalled that no manifest alone gives: what is in the cluster or in the broker decides. */
export const needCluster: readonly string[] = [
  'AlertChannel SecretInvalid',
  'TaskAlert UnreachableThreshold',
  'TaskBroker SecretInvalid',
  'TaskDependency TemplateInvalid',
  'TaskExecution TimedOut',
  'TaskQueue PolicyConflict',
  'TaskQueue SettingsUnreadable',
  'TaskSchedule AdoptionDryRun',
  'TaskSchedule CalendarNotFound',
  'TaskSchedule DependencyNotFound',
  'TaskSchedule TemplateInvalid',
  'TaskSchedule LedgerUnreadable',
  'TaskSchedule NameTaken',
  'WorkerPool DeploymentNotOwned',
  'WorkerPool ProgressDeadlineExceeded',
  'WorkerPool TemplateInvalid',
]
