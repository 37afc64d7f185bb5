/** Manifests that the API server admits and a controller does not understand, and the field that both it and lint name. */
type Misunderstood = { readonly kind: string; readonly reason: string; readonly field: string; readonly manifest: string }

const schedule = (reason: string, field: string, spec: string): Misunderstood => ({
  kind: 'TaskSchedule',
  reason,
  field,
  manifest: `apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: a}\nspec: ${spec}\n`,
})

const graph = (reason: string, field: string, nodes: string): Misunderstood => ({
  kind: 'TaskDependency',
  reason,
  field,
  manifest: `apiVersion: taskmill.dev/v1alpha1\nkind: TaskDependency\nmetadata: {name: a}\nspec: {${nodes}}\n`,
})
const task = 'task: {type: t, queue: q}'

export const misunderstood: readonly Misunderstood[] = [
  schedule('InvalidSchedule', 'spec.schedules[0]', '{schedules: ["0 0 30 2 *"], task: {type: t, queue: q}}'),
  schedule(
    'InvalidSchedule',
    'spec.endTime',
    '{schedules: ["@yearly"], startTime: "2026-02-01T00:00:00Z", endTime: "2026-12-31T00:00:00Z", task: {type: t, queue: q}}',
  ),
  schedule(
    'InvalidSchedule',
    'spec.schedules[0]',
    '{schedules: ["30 2 * 3 SUN#L"], timeZone: Europe/Berlin, dst: {gap: Skip}, task: {type: t, queue: q}}',
  ),
  schedule('InvalidSchedule', 'spec.schedules[0]', '{schedules: ["H(0-59)/70 0 * * *"], task: {type: t, queue: q}}'),
  schedule('InvalidTimeZone', 'spec.timeZone', '{schedules: ["@daily"], timeZone: Mars/Base, task: {type: t, queue: q}}'),
  schedule(
    'InvalidCalendar',
    'spec.calendars.exclude[0].dates[0]',
    '{everySeconds: 9, calendars: {exclude: [{name: a, dates: ["02-30"]}]}, task: {type: t, queue: q}}',
  ),
  schedule(
    'InvalidCalendar',
    'spec.calendars',
    '{schedules: ["0 1 * * SUN"], calendars: {include: [{name: a, weekdays: [MON]}]}, task: {type: t, queue: q}}',
  ),
  schedule('InvalidExpression', 'spec.task.payload.a', '{everySeconds: 9, task: {type: t, queue: q, payload: {a: $(slott)}}}'),
  schedule('InvalidNumber', 'spec.task.payload.id', '{everySeconds: 9, task: {type: t, queue: q, payload: {id: 1175930294816452671}}}'),
  schedule(
    'InvalidNumber',
    'spec.parameters.a[0].id',
    '{everySeconds: 9, dependencyRef: {name: g}, parameters: {a: [{id: -9007199254740993}]}}',
  ),
  schedule('PayloadTooLarge', 'spec.task.payload', `{everySeconds: 9, task: {type: t, queue: q, payload: {a: ${'a'.repeat(262_144)}}}}`),
  schedule(
    'InvalidExpression',
    'spec.job.spec.template.spec.containers[0].args[0]',
    '{everySeconds: 9, job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: i, args: ["$(HOME)"]}]}}}}}',
  ),
  schedule('InvalidExpression', 'spec.parameters.a[0]', '{everySeconds: 9, dependencyRef: {name: g}, parameters: {a: [$(slott)]}}'),
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
  'TaskSchedule CalendarNotFound',
  'TaskSchedule DependencyNotFound',
  'TaskSchedule TemplateInvalid',
  'TaskSchedule LedgerUnreadable',
  'WorkerPool DeploymentNotOwned',
  'WorkerPool ProgressDeadlineExceeded',
  'WorkerPool TemplateInvalid',
]
