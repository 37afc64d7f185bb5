/** Words that every rule admits and that mean nothing where they stand. */
import { describe, expect, it } from 'vitest'
import { kinds, type JsonSchema } from '../api/index.ts'
import { pool, said, schedule } from './fixtures.ts'
import { foreignNames } from './foreign-names.ts'

const object = (kind: string, spec: string, name = 'sample') =>
  `apiVersion: taskmill.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`
const graph = (node: string, more = '') =>
  object('TaskDependency', `{nodes: [{name: a, task: {type: t, queue: q}}, {name: b, dependsOn: [{name: a}], ${node}}]${more}}`)
const task = 'task: {type: t, queue: q}'
/** The findings without place and object. */
const words = (text: string) => said(text).map((line) => line.replace(/^\S+ (\S+) \S+ /u, '$1 '))

describe('a state that no node ever has', () => {
  const states = 'states: Succeeded, Failed, TimedOut, Cancelled, Skipped, Omitted'
  it.each<[when: string, finding: string]>([
    [`nodes.a.status == 'completed'`, `nodes.a.status with "completed", which is no state; did you mean "Succeeded"?; ${states}`],
    [`'succeeded' != nodes["a"].status`, `nodes.a.status with "succeeded", which is no state; did you mean "Succeeded"?; ${states}`],
    [`nodes.a.status in ['Failed', 'Error']`, `nodes.a.status with "Error", which is no state; did you mean "Failed"?; ${states}`],
    [
      `true || nodes.a.status == 'Completed' && true`,
      `nodes.a.status with "Completed", which is no state; did you mean "Succeeded"?; ${states}`,
    ],
  ])('in %s is a warning', (when, finding) => {
    expect(words(graph(`when: "${when.replaceAll('"', '\\"')}", ${task}`))).toEqual([`warning spec.nodes[1].when: compares ${finding}`])
  })

  it('is found in a payload and in the outcome of a run', () => {
    const inPayload = graph(`task: {type: t, queue: q, payload: {isGood: "$(nodes.a.status == 'ok')"}}`)
    expect(words(inPayload)).toEqual([expect.stringContaining('spec.nodes[1].task.payload.isGood: compares nodes.a.status with "ok"')])
    const atEnd = graph(task, `, finally: [{name: tell, when: "run.outcome == 'success'", ${task}}]`)
    expect(words(atEnd)).toEqual([
      'warning spec.finally[0].when: compares run.outcome with "success", which is no state; did you mean "Succeeded"?; ' +
        'states: Succeeded, Failed, TimedOut, Cancelled, Skipped',
    ])
  })

  it('is not what other texts are, nor the states that there are', () => {
    const good = `nodes.a.status == 'TimedOut' || nodes.a.result.status == 'completed' || nodes.a.result == 'completed'`
    expect(words(graph(`when: "${good}", ${task}`))).toEqual([])
  })
})

describe('a parameter', () => {
  const payload = (text: string) => `task: {type: t, queue: q, payload: {x: "${text}"}}`
  it('that the graph does not declare is a warning', () => {
    expect(words(graph(payload('$(parameters.reprot)'), ', parameters: {report: 1}'))).toEqual([
      'warning spec.nodes[1].task.payload.x: parameters.reprot is not declared; did you mean "report"?; declared: report. Next: declare it with a default in spec.parameters',
    ])
  })

  it('that an expression asks for first is fine', () => {
    expect(words(graph(payload("$(has(parameters.day) ? parameters.day : '')")))).toEqual([])
    expect(words(graph(payload('$(parameters.?day.orValue(1))')))).toEqual([])
  })

  it('that a schedule or a run passes and no graph reads is a warning', () => {
    const own = graph(payload('$(parameters.report)'), ', parameters: {report: 1}').replace('name: sample', 'name: g')
    const passes = (parameters: string) => `${own}---\n${object('TaskExecution', `{dependencyRef: {name: g}, parameters: ${parameters}}`)}`
    expect(words(passes('{report: 2}'))).toEqual([])
    expect(words(passes('{reprot: 2}'))).toEqual([
      'warning spec.parameters.reprot: TaskDependency "g" has no parameter reprot; did you mean "report"?; nothing reads it',
    ])
    const scheduled = object('TaskSchedule', '{everySeconds: 60, dependencyRef: {name: g}, parameters: {other: 1}}')
    expect(words(`${own}---\n${scheduled}`)).toEqual([
      expect.stringContaining('spec.parameters.other: TaskDependency "g" has no parameter other'),
    ])
    // Without the graph, nobody knows what it reads.
    expect(words(scheduled)).toEqual([])
  })
})

describe('the message of an alert', () => {
  const alert = (message: string) =>
    object('TaskAlert', `{target: {kind: WorkerPool, name: p}, queueBacklog: {above: 1}, message: ${JSON.stringify(message)}}`)
  it.each<[message: string, finding: string]>([
    ['Failure rate is {rate}%', '{rate} is not filled in and stays as it is; write $(value)'],
    ['{task_name} fails', '{task_name} is not filled in and stays as it is; write $(target.name)'],
    ['{{ $value }} jobs', '{{ $value }} is not filled in and stays as it is; write $(value)'],
    ['%(count)s jobs', '%(count)s is not filled in and stays as it is; write $(value)'],
    ['{{ .Status }}', '{{ .Status }} is not filled in and stays as it is; write an expression such as $(value) or $(target.name)'],
  ])('%s has a placeholder of another system', (message, finding) => {
    expect(words(alert(message))).toEqual([`warning spec.message: ${finding}`])
  })

  it('may have expressions, and braces without a name', () => {
    expect(words(alert('$(target.name): $(value) {} { } $({"a": value}.a)'))).toEqual([])
  })
})

describe('an alert that no channel hears', () => {
  const alert = object(
    'TaskAlert',
    '{target: {kind: WorkerPool, name: p}, queueBacklog: {above: 1}, severity: Warning, channelRefs: [{name: a}, {name: b}]}',
  )
  const channel = (name: string, minimum: string) => object('AlertChannel', `{log: {}, minimumSeverity: ${minimum}}`, name)
  it.each<[a: string, b: string, isHeard: boolean]>([
    ['Critical', 'Critical', false],
    ['Critical', 'Warning', true],
    ['Info', 'Critical', true],
  ])('with channels from %s and from %s: %s', (a, b, isHeard) => {
    const found = words([alert, channel('a', a), channel('b', b)].join('---\n')).filter((line) => line.includes('spec.severity'))
    const message = `no channel is notified: Warning is below the minimumSeverity of all its channels (Critical). Next: raise severity, or lower minimumSeverity`
    expect(found).toEqual(isHeard ? [] : [`warning spec.severity: ${message}`])
  })

  it('is not known while one of its channels is elsewhere', () => {
    expect(words([alert, channel('a', 'Critical')].join('---\n')).filter((line) => line.includes('spec.severity'))).toEqual([])
  })
})

describe('$(…) where nothing is filled in', () => {
  const job = (pod: string, container: string) =>
    schedule(
      `  everySeconds: 60\n  job: {spec: {template: {spec: {restartPolicy: Never, ${pod}containers: [{name: m, image: i, ${container}}]}}}}\n`,
    )
  it.each<[title: string, text: string, field: string]>([
    ['an image', job('', '').replace('image: i', 'image: "acme/$(slot)"'), 'spec.job.spec.template.spec.containers[0].image'],
    ['a folder', job('', 'workingDir: /data/$(slot)'), 'spec.job.spec.template.spec.containers[0].workingDir'],
    ['a type', schedule('  everySeconds: 60\n  task: {type: "$(slot)", queue: q}\n'), 'spec.task.type'],
    ['a queue', schedule('  everySeconds: 60\n  task: {type: t, queue: "q-$(slot)"}\n'), 'spec.task.queue'],
    [
      'a key of a payload',
      schedule('  everySeconds: 60\n  task: {type: t, queue: q, payload: {"$(slot)": 1}}\n'),
      'spec.task.payload.$(slot)',
    ],
    ['a default of a graph', graph(task, ', parameters: {day: "$(slot)"}'), 'spec.parameters.day'],
    ['the image of a pool', pool('q').replace('acme/worker', '"$(IMAGE)"'), 'spec.template.spec.containers[0].image'],
    ['the URL of a channel', object('AlertChannel', '{webhook: {url: "https://acme.dev/$(TOKEN)"}}'), 'spec.webhook.url'],
  ])('%s is a warning', (_, text, field) => {
    expect(words(text)).toEqual([expect.stringContaining(`warning ${field}: `)])
    expect(words(text)).toEqual([expect.stringContaining('is not filled in')])
  })

  it('is refused where no such name may be', () => {
    expect(words(job('serviceAccountName: "$(slot)", ', ''))).toEqual([
      expect.stringContaining('error spec.job.spec.template.spec.serviceAccountName'),
    ])
  })

  it.each<[title: string, text: string]>([
    ['a payload', schedule('  everySeconds: 60\n  task: {type: t, queue: q, payload: {a: ["$(slot)"]}}\n')],
    ['the arguments of a job', job('', 'args: ["$(slot)"], env: [{name: A, value: $(slot)}]')],
    [
      'a variable of Kubernetes in a pool',
      pool('q').replace('image: acme/worker', 'image: i, args: ["$(HOME)"], env: [{name: A, value: $(B)}]'),
    ],
    [
      'a shell in a hook',
      pool('q').replace('image: acme/worker', 'image: i, lifecycle: {preStop: {exec: {command: [sh, -c, "kill $(cat pid)"]}}}'),
    ],
    ['an escape', schedule('  everySeconds: 60\n  task: {type: "$$(x)", queue: q}\n')],
  ])('%s is fine', (_, text) => {
    expect(words(text)).toEqual([])
  })
})

it('a time limit of a node beyond that of its graph is a warning', () => {
  expect(words(graph(`timeoutSeconds: 120, ${task}`, ', timeoutSeconds: 60'))).toEqual([
    'warning spec.nodes[1].timeoutSeconds: is never reached: the run ends after 60 s (spec.timeoutSeconds)',
  ])
})

it('the name of a field that YAML takes for true is a warning', () => {
  expect(said(schedule('  everySeconds: 60\n  task: {type: t, queue: q, payload: {y: 1, x: {off: 2}}}\n'))).toEqual([
    'a.yaml:6:39 warning YAML takes the name y for true, as kubectl does. Next: put y in quotes',
    'a.yaml:6:49 warning YAML takes the name off for false, as kubectl does. Next: put off in quotes',
  ])
})

describe('names of other systems', () => {
  it.each<[name: string, text: string, finding: string]>([
    [
      'cron_expression',
      schedule(`  cron_expression: "0 1 * * *"\n  ${task}\n`),
      'spec.cron_expression: is not a known field; see the reference; here it is schedules (a list of expressions)',
    ],
    [
      'max_retries',
      schedule(`  everySeconds: 9\n  task: {type: t, queue: q, max_retries: 3}\n`),
      'spec.task.max_retries: is not a known field; see the reference; here it is retry.maxRetries',
    ],
    [
      'minReplicaCount',
      pool('q').replace('spec:\n', 'spec:\n  minReplicaCount: 1\n'),
      'spec.minReplicaCount: is not a known field; see the reference; here it is scaling.minReplicas',
    ],
    [
      'pollingInterval',
      pool('q').replace('spec:\n', 'spec:\n  pollingInterval: 1\n'),
      'spec.pollingInterval: is not a known field; see the reference; the operator follows the queues and does not poll them. Remove it',
    ],
    [
      'dependencies',
      graph(`dependencies: [a], ${task}`),
      'spec.nodes[1].dependencies: is not a known field; see the reference; here it is dependsOn (a list of {name: …})',
    ],
    [
      'slack',
      object('AlertChannel', '{slack: {}}'),
      'spec.slack: is not a known field; see the reference; here it is webhook (to a service that writes to Slack)',
    ],
    ['a queue with a space', schedule(`  everySeconds: 9\n  task: {type: t, queue: "a b"}\n`), 'spec.task.queue: must match'],
  ])('%s', (_, text, finding) => {
    expect(words(text).map((line) => line.replace(/must match.*/u, 'must match'))).toContain(`error ${finding}`)
  })

  it('get a name that the pattern admits', () => {
    expect(words(graph(task).replaceAll('name: a', 'name: task_a'))).toContainEqual(
      expect.stringMatching(/^error spec\.nodes\[0\]\.name: must match .*; write "task-a"$/u),
    )
  })

  it.each(Object.entries(foreignNames))('in %s lead to fields that there are', (holder, names) => {
    const own = kinds.find(({ shortNames }) => shortNames.includes(holder))
    const homes = own === undefined ? holdersNamed(holder) : [own.spec.json]
    expect(homes).not.toEqual([])
    for (const [name, ours] of Object.entries(names)) {
      for (const home of homes) {
        expect(
          Object.keys(home?.properties ?? {}).map((field) => field.toLowerCase()),
          name,
        ).not.toContain(name)
        if ('field' in ours) expect(fieldIn(home, ours.field), `${holder}.${name}: ${ours.field}`).toBeDefined()
      }
    }
  })

  function holdersNamed(field: string): readonly JsonSchema[] {
    const below = (schema: JsonSchema): readonly JsonSchema[] =>
      Object.entries({ ...schema.properties, '': schema.items }).flatMap(([name, child]) =>
        child === undefined ? [] : [...(name === field ? [child.items ?? child] : []), ...below(child)],
      )
    return kinds.flatMap(({ spec }) => below(spec.json))
  }

  /** A part that Kubernetes defines may have any field. */
  function fieldIn(schema: JsonSchema | undefined, path: string): JsonSchema | undefined {
    let found = schema
    for (const step of path.split('.')) {
      const isOpen = found?.['x-kubernetes-preserve-unknown-fields'] === true
      found = found?.properties?.[step] ?? (isOpen ? found : undefined)
    }
    return found
  }
})
