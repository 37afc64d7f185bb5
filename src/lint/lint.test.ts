import { describe, expect, it } from 'vitest'
import { lint } from './lint.ts'
import { renderReport } from './report.ts'
import { broker, pool, said, schedule, task } from './fixtures.ts'

describe('one manifest', () => {
  it.each<[title: string, text: string, findings: readonly string[]]>([
    ['that is good', broker(), []],
    [
      'with a field that is missing, at the closest one above',
      schedule('  everySeconds: 60\n  task:\n    type: backup\n'),
      ['a.yaml:6:3 error TaskSchedule/nightly spec.task.queue: is required'],
    ],
    [
      'with a field that there is not, and values out of bounds',
      pool('files').replace('spec:\n', 'spec:\n  concurency: 4\n  scaling:\n    maxReplicas: 0\n'),
      [
        'a.yaml:5:3 error WorkerPool/files spec.concurency: is not a known field; see the reference; did you mean "concurrency"?',
        'a.yaml:7:5 error WorkerPool/files spec.scaling.maxReplicas: must be at least 1',
      ],
    ],
    [
      'with a word that is none to YAML, as kubectl reads it',
      schedule('  everySeconds: 60\n  concurrencyPolicy: no\n  task: {type: on, queue: 0o17}\n'),
      [
        'a.yaml:6:3 error TaskSchedule/nightly spec.concurrencyPolicy: must be string, is boolean; put it in quotes',
        'a.yaml:7:10 error TaskSchedule/nightly spec.task.type: must be string, is boolean; put it in quotes',
        'a.yaml:7:20 error TaskSchedule/nightly spec.task.queue: must be string, is integer; put it in quotes',
      ],
    ],
    [
      'with a rule of the schema that is broken',
      schedule(`  everySeconds: 60\n  timeZone: Europe/Berlin\n${task}`),
      [
        'a.yaml:6:3 error TaskSchedule/nightly spec.timeZone: timeZone goes with schedules and calendars only: everySeconds counts from 1970-01-01T00:00:00Z in every time zone, and each time in at has its own offset. Remove timeZone',
      ],
    ],
    [
      'with expressions of cron that the controller does not understand, each at its place',
      schedule(`  schedules:\n  - "0 1 * * *"\n  - "0 0 30 2 *"\n  - "@every 5m"\n${task}`),
      [
        'a.yaml:7:5 error TaskSchedule/nightly spec.schedules[1]: "0 0 30 2 *" is never due, because there is no such day; correct day-of-month or month',
        'a.yaml:8:5 error TaskSchedule/nightly spec.schedules[2]: "@every 5m" is not a cron expression; use everySeconds instead',
      ],
    ],
    ...['0 4 l * *', '0 4 15w * *', '0 4 * * 5l'].map((expression): [string, string, readonly string[]] => [
      `with ${expression} for a CronJob, which does not know it in small letters either`,
      schedule(
        `  schedules: ["${expression}"]\n  engine: CronJob\n` +
          '  job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}}}}\n',
      ),
      [
        'a.yaml:5:3 error TaskSchedule/nightly spec.schedules: a CronJob reads five fields without L, W and #: minute, hour, day of month, month, day of week. Write such an expression, or set engine: Taskmill',
      ],
    ]),
    [
      'with two members of which only one can be set, and a field that there is not',
      'apiVersion: taskmill.dev/v1alpha1\nkind: AlertChannel\nmetadata: {name: c}\nspec: {log: {}, webhook: {url: "https://a.b/c"}, surprise: 1}\n',
      [
        'a.yaml:4:1 error AlertChannel/c spec: exactly one of log, webhook must be set',
        'a.yaml:4:50 error AlertChannel/c spec.surprise: is not a known field; see the reference',
      ],
    ],
    [
      'with numbers that JavaScript would round, each at its place',
      schedule(
        '  everySeconds: 60\n  task:\n    type: t\n    queue: q\n    payload:\n      id: 1175930294816452671\n' +
          '      list: [9007199254740991, -9007199254740993, 0.1234567890123456789, 1e400, 0xFFFFFFFFFFFFFFFF, 1_000, 0.1, "1e400"]\n' +
          '      1175930294816452673: a\n',
      ),
      [
        'a.yaml:10:7 error TaskSchedule/nightly spec.task.payload.id: 1175930294816452671 would arrive as 1175930294816452600, because numbers keep about 16 digits; write it as text, in quotes: "1175930294816452671"',
        'a.yaml:11:32 error TaskSchedule/nightly spec.task.payload.list[1]: -9007199254740993 would arrive as -9007199254740992, because numbers keep about 16 digits; write it as text, in quotes: "-9007199254740993"',
        'a.yaml:11:51 error TaskSchedule/nightly spec.task.payload.list[2]: 0.1234567890123456789 would arrive as 0.12345678901234568, because numbers keep about 16 digits; write it as text, in quotes: "0.1234567890123456789"',
        'a.yaml:11:74 error TaskSchedule/nightly spec.task.payload.list[3]: 1e400 is too large for a number; write it as text, in quotes: "1e400"',
        'a.yaml:11:81 error TaskSchedule/nightly spec.task.payload.list[4]: 18446744073709551615 would arrive as 18446744073709552000, because numbers keep about 16 digits; write it as text, in quotes: "18446744073709551615"',
      ],
    ],
    [
      'of JSON, with a number that JavaScript would round beside another mistake',
      '{"apiVersion":"taskmill.dev/v1alpha1","kind":"TaskExecution","metadata":{"name":"x"},"spec":{"scheduleRef":{"name":"a"},"payload":{"id":12345678901234567890},"nope":1}}',
      [
        'a.yaml:1:132 error TaskExecution/x spec.payload.id: 12345678901234567890 would arrive as 12345678901234567000, because numbers keep about 16 digits; write it as text, in quotes: "12345678901234567890"',
        'a.yaml:1:159 error TaskExecution/x spec.nope: is not a known field; see the reference',
      ],
    ],
    [
      'with a number that JSON does not have',
      schedule('  everySeconds: 60\n  task: {type: t, queue: q, payload: {a: -.inf}}\n'),
      ['a.yaml:6:42 error is not YAML: -.inf is not a number that JSON has; leave it out, or write text in quotes'],
    ],
    [
      'with an expression, under a name with dots and brackets',
      schedule('  everySeconds: 60\n  task:\n    type: t\n    queue: q\n    payload:\n      a.b: {"c[0]": ["x", $(slott)]}\n'),
      [
        'a.yaml:10:27 error TaskSchedule/nightly spec.task.payload.a.b.c[0][1]: unknown variable: slott at character 3; known names: slot; write text in quotes',
      ],
    ],
    [
      'with a part that is written elsewhere in it',
      pool('files').replace('spec:\n', 'x-scaling: &s {minReplicas: 5, maxReplicas: 2}\nspec:\n  scaling: *s\n'),
      [
        'a.yaml:4:1 error WorkerPool/files x-scaling: is not a known field; see the reference',
        'a.yaml:4:16 error WorkerPool/files spec.scaling.minReplicas: minReplicas must not exceed maxReplicas (default 10)',
      ],
    ],
    [
      'with what people do at three in the morning',
      pool('files').replace('spec:\n', 'spec:\n  override: {suspend: true, until: 2026-11-23T08:00:00Z}\n'),
      [
        'a.yaml:5:3 warning WorkerPool/files spec.override: does not belong into a manifest, because applying it again would restart the override. Next: leave it out; use taskmill scale, suspend or ack',
      ],
    ],
    ['of another kind', 'apiVersion: apps/v1\nkind: Deployment\n', []],
    ['that has not our group', 'apiVersion: tekton.dev/v1\nkind: TaskSchedule\nmetadata: {name: a}\n', []],
    [
      'of a kind that there is not',
      broker().replace('TaskBroker', 'TaskBrokr'),
      [
        expect.stringMatching(
          /^a\.yaml:2:1 error TaskBrokr\/default kind: TaskBrokr is not a kind of taskmill\.dev; did you mean "TaskBroker"\?; known kinds: /u,
        ),
      ],
    ],
    [
      'of another version',
      broker().replace('v1alpha1', 'v1'),
      ['a.yaml:1:1 error TaskBroker/default apiVersion: must be taskmill.dev/v1alpha1, is taskmill.dev/v1'],
    ],
    [
      'of a group that is misspelt',
      broker().replace('taskmill', 'taskmil'),
      ['a.yaml:1:1 error TaskBroker/default apiVersion: must be taskmill.dev/v1alpha1, is taskmil.dev/v1alpha1'],
    ],
    [
      'without a group',
      broker().replace(/^.*\n/u, ''),
      ['a.yaml:1:1 error TaskBroker/default apiVersion: is required: write taskmill.dev/v1alpha1'],
    ],
  ])('%s', (_, text, findings) => {
    expect(said(text)).toEqual(findings)
  })
})

describe('texts', () => {
  it('of several documents, comments and empty ones among them', () => {
    const text = `# a head\n---\n${broker()}---\n# nothing\n---\nkind: ConfigMap\napiVersion: v1\ndata: {x: "{{ y }}"}\n--- # the pool\n${pool('files').replace('[{name: files}]', '[{name: "a:b"}]')}`
    expect(said(text)).toEqual([expect.stringMatching(/^a\.yaml:18:13 error WorkerPool\/files spec\.queues\[0\]\.name: must match/u)])
    expect(lint([{ path: 'a.yaml', text, isNamed: true }], { isComplete: false })).toMatchObject({
      manifests: 2,
      files: 1,
      unjudged: [{ reason: 'OtherKind', path: 'a.yaml', line: 10, kind: 'ConfigMap' }],
    })
  })

  it('of JSON, and lists of objects', () => {
    const items = [JSON.parse('{"apiVersion":"taskmill.dev/v1alpha1","kind":"TaskBroker","metadata":{"name":"A"},"spec":{}}')]
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2)
    expect(said({ 'list.json': text }).map((line) => line.replace(/:.*?(?=metadata|spec)/u, ' ').replace(/ must.*/u, ''))).toEqual(
      ['list.json spec.standalone: is required', 'list.json metadata.name:'].toSorted(() => -1),
    )
  })

  it('that are no YAML', () => {
    expect(said(`${broker()}  bad: [\n`)).toEqual([expect.stringMatching(/^a\.yaml:5:\d+ error is not YAML: /u)])
    expect(said(`${broker()}metadata: {name: twice}\n`)).toEqual(['a.yaml:5:1 error is not YAML: map keys must be unique'])
  })

  it.each([
    ['a value', pool('files').replace('{name: files}', '{name: {{ .Values.name }}}'), '3:18'],
    ['a line', `${broker()}{{- if .Values.pool }}\n`, '5:1'],
    ['a whole name', broker().replace('metadata: {name: default}', 'metadata:\n  name: {{ .Release.Name }}'), '4:9'],
  ])('that Helm has to render: %s', (_, text, at) => {
    const words = 'is a template; only its rendered output can be checked. Next: helm template CHART | taskmill lint -'
    expect(said(text)).toEqual([`a.yaml:${at} error ${words}`])
    // A user who names a folder did not ask for this file.
    expect(said({ 'chart/a.yaml': text })).toEqual([`chart/a.yaml:${at} warning ${words}`])
  })

  it('with braces that are only text', () => {
    expect(said(schedule('  everySeconds: 60\n  task: {type: t, queue: q, payload: {body: "Dear {{ name }}", m: \'{{x}}\'}}\n'))).toEqual(
      [],
    )
  })

  it('that kustomize patches others with', () => {
    const files = {
      'base/kustomization.yaml': 'patches: [{path: more.yaml}]\npatchesStrategicMerge: [other.yaml]\n',
      'base/more.yaml': pool('files').replace(/ {2}queues.*\n/u, ''),
      'base/other.yaml': schedule('  suspend: true\n'),
    }
    expect(said(files)).toEqual([])
    const sources = Object.entries(files).map(([path, text]) => ({ path, text, isNamed: false }))
    expect(lint(sources, { isComplete: false }).unjudged).toMatchObject([
      { reason: 'OtherKind', path: 'base/kustomization.yaml' },
      { reason: 'Patch', path: 'base/more.yaml' },
      { reason: 'Patch', path: 'base/other.yaml' },
    ])
  })
})

describe('names that no object has', () => {
  const other = schedule('  everySeconds: 60\n  brokerRef: {name: mial}\n  task: {type: t, queue: flies}\n')

  it('are nothing where no others of the kind are beside it: they live elsewhere', () => {
    expect(said(other)).toEqual([])
    expect(said({ 'a/broker.yaml': broker('mail'), 'b/schedule.yaml': other })).toEqual([])
  })

  it('are a warning beside others of the kind', () => {
    expect(said({ 'a/broker.yaml': broker('mail'), 'a/schedule.yaml': other })).toEqual([
      'a/schedule.yaml:6:15 warning TaskSchedule/nightly spec.brokerRef.name: TaskBroker "mial" is not among these manifests; did you mean "mail"?',
    ])
    const files = pool('files').replace('spec:\n', 'spec:\n  brokerRef: {name: mial}\n')
    expect(said({ 'a/pool.yaml': files, 'a/schedule.yaml': other })).toEqual([
      'a/schedule.yaml:7:19 warning TaskSchedule/nightly spec.task.queue: no WorkerPool here consumes queue "flies"; did you mean "files"?',
    ])
    expect(
      said({ 'a/pool.yaml': pool('files'), 'a/schedule.yaml': schedule('  everySeconds: 60\n  task: {type: t, queue: other}\n') }),
    ).toEqual([
      'a/schedule.yaml:6:19 warning TaskSchedule/nightly spec.task.queue: no WorkerPool here consumes queue "other"; fine if other workers do',
    ])
  })

  it('without a name mean the TaskBroker default, also where no schema says so', () => {
    const run = (spec: string) => `apiVersion: taskmill.dev/v1alpha1\nkind: TaskExecution\nmetadata: {name: once}\nspec: {${spec}}\n`
    const files = run('task: {type: t, queue: files}')
    expect(said({ 'a/pool.yaml': pool('files'), 'a/run.yaml': files })).toEqual([])
    expect(said({ 'a/pool.yaml': pool('files'), 'a/run.yaml': files.replace('queue: files', 'queue: flies') })).toEqual([
      'a/run.yaml:4:24 warning TaskExecution/once spec.task.queue: no WorkerPool here consumes queue "flies"; did you mean "files"?',
    ])
    const missing = 'spec.brokerRef.name: TaskBroker "default" is not among these manifests; create it, or correct the name'
    expect(said(files, { isComplete: true })).toContain(`a.yaml:4:1 error TaskExecution/once ${missing}`)
    expect(said(run('dependencyRef: {name: g}'), { isComplete: true })).toEqual([expect.stringContaining('TaskDependency "g"')])
  })

  it('of a TaskQueue are its queue, too', () => {
    const queue = 'apiVersion: taskmill.dev/v1alpha1\nkind: TaskQueue\nmetadata: {name: q}\nspec: {queueName: emial}\n'
    expect(said({ 'a/pool.yaml': pool('email'), 'a/queue.yaml': queue })).toEqual([
      'a/queue.yaml:4:8 warning TaskQueue/q spec.queueName: no WorkerPool here consumes queue "emial"; did you mean "email"?',
    ])
  })

  it('are found in another folder, not in another namespace', () => {
    const here = pool('files', ', namespace: acme')
    expect(said({ 'a/pool.yaml': here, 'b/broker.yaml': broker('default', ', namespace: acme') }, { isComplete: true })).toEqual([])
    expect(said({ 'a/pool.yaml': here, 'a/broker.yaml': broker('default', ', namespace: other') }, { isComplete: true })).toEqual([
      'a/pool.yaml:4:1 error WorkerPool/files spec.brokerRef.name: TaskBroker "default" is not among these manifests; create it, or correct the name',
    ])
    const named = { 'k/kustomization.yaml': 'namespace: acme\nresources: [broker.yaml]\n', 'k/broker.yaml': broker() }
    expect(said({ ...named, 'a/pool.yaml': here }, { isComplete: true })).toEqual([])
    expect(said({ ...named, 'a/pool.yaml': pool('files', ', namespace: x') }, { isComplete: true })).toHaveLength(1)
  })

  it('are errors in a set that is complete, but for queues, on which others may work', () => {
    expect(said(other, { isComplete: true })).toEqual([
      'a.yaml:6:15 error TaskSchedule/nightly spec.brokerRef.name: TaskBroker "mial" is not among these manifests; create it, or correct the name',
      'a.yaml:7:19 warning TaskSchedule/nightly spec.task.queue: no WorkerPool here consumes queue "flies"; fine if other workers do',
    ])
  })
})

describe('a graph', () => {
  const graph = `apiVersion: taskmill.dev/v1alpha1
kind: TaskDependency
metadata: {name: morning}
spec:
  nodes:
  - name: calendar
    dependsOn: [{name: send}]
    task: {type: sync, queue: files}
  - name: send
    dependsOn: [{name: calendar}]
    task: {type: send, queue: mial}
`
  it('has its cycle spelled out, and its queues looked up', () => {
    expect(said({ 'a/graph.yaml': graph, 'a/pool.yaml': pool('files') + '---\n' + pool('mail') })).toEqual([
      expect.stringMatching(
        /^a\/graph\.yaml:7:17 error TaskDependency\/morning spec\.nodes\[0\]\.dependsOn\[0\]: .*calendar -> send -> calendar/u,
      ),
      'a/graph.yaml:11:24 warning TaskDependency/morning spec.nodes[1].task.queue: no WorkerPool here consumes queue "mial"; did you mean "mail"?',
    ])
  })

  it('is what a run refers to, which the API server may name', () => {
    const run =
      'apiVersion: taskmill.dev/v1alpha1\nkind: TaskExecution\nmetadata: {generateName: now-}\nspec: {dependencyRef: {name: mourning}}\n'
    const sound = graph.replace('    dependsOn: [{name: send}]\n', '').replace('mial', 'files')
    expect(said({ 'a/graph.yaml': sound, 'a/runs.yaml': `${run}---\n${run.replace('mourning', 'morning')}` })).toEqual([
      'a/runs.yaml:4:24 warning TaskExecution/now-* spec.dependencyRef.name: TaskDependency "mourning" is not among these manifests; did you mean "morning"?',
    ])
  })
})

describe('names that two have', () => {
  const twice = (where: string) =>
    `${where} error TaskBroker/default metadata.name: TaskBroker "default" already exists at a/1.yaml:3: the later one would replace it`

  it('are an error in one folder, and in another one only where all meets', () => {
    expect(said({ 'a/1.yaml': broker(), 'a/2.yaml': broker() })).toEqual([twice('a/2.yaml:3:12')])
    expect(said({ 'a/1.yaml': broker(), 'b/2.yaml': broker() })).toEqual([])
    expect(said({ 'a/1.yaml': broker(), 'b/2.yaml': broker() }, { isComplete: true })).toEqual([twice('b/2.yaml:3:12')])
    expect(said({ 'a/1.yaml': broker(), 'a/2.yaml': broker('default', ', namespace: acme') })).toEqual([])
  })
})

it('two TaskQueues for one queue are an error at the later one', () => {
  const queue = (name: string, queueName: string, brokerName = 'default') =>
    `apiVersion: taskmill.dev/v1alpha1\nkind: TaskQueue\nmetadata: {name: ${name}}\nspec: {queueName: ${queueName}, brokerRef: {name: ${brokerName}}}\n`
  const two = `${queue('one', 'mail')}---\n${queue('two', 'mail')}---\n${queue('three', 'files')}---\n${queue('four', 'mail', 'other')}`
  expect(said(two)).toEqual([
    'a.yaml:9:8 error TaskQueue/two spec.queueName: TaskQueue "one" also configures queue "mail"; only the older one takes effect. Next: merge them into one',
  ])
})

describe('a concurrency group of several schedules', () => {
  const grouped = (name: string, limit: number, more = '') =>
    schedule(`  everySeconds: 60\n  concurrencyPolicy: Queue\n  concurrencyGroup: {name: warehouse, limit: ${limit}}\n${more}${task}`, name)

  it('with two limits is a warning at the later one, also in another file', () => {
    expect(said({ 'x/a.yaml': grouped('a', 3), 'x/b.yaml': grouped('b', 3), 'x/c.yaml': grouped('c', 2) })).toEqual([
      'x/c.yaml:7:39 warning TaskSchedule/c spec.concurrencyGroup.limit: TaskSchedule "a" has limit 3 for the group "warehouse", and the ' +
        'lowest, 2, counts for all its schedules. Next: write the same limit in all of them',
    ])
  })

  it('in two namespaces or folders is two groups, unless all of it meets', () => {
    const files = { 'x/a.yaml': grouped('a', 3), 'y/b.yaml': grouped('b', 2) }
    expect(said(files)).toEqual([])
    expect(said(files, { isComplete: true }).filter((each) => each.includes('limit 3 for the group'))).toHaveLength(1)
    const other = grouped('b', 2).replace('{name: b}', '{name: b, namespace: other}')
    expect(said({ 'x/a.yaml': grouped('a', 3).replace('{name: a}', '{name: a, namespace: acme}'), 'x/b.yaml': other })).toEqual([])
  })

  it('at two TaskBrokers counts for each of them, which is a warning', () => {
    expect(said({ 'x/a.yaml': grouped('a', 3), 'x/b.yaml': grouped('b', 2, '  brokerRef: {name: other}\n') })).toEqual([
      'x/b.yaml:7:22 warning TaskSchedule/b spec.concurrencyGroup.name: TaskSchedule "a" is in the group "warehouse" at TaskBroker "default", ' +
        'this one at "other": each TaskBroker counts for itself. Next: use one TaskBroker, or give the groups two names',
    ])
  })

  it.each(['Allow', 'Forbid', 'Replace'])('with a policy that cannot wait is an error: %s', (policy) => {
    const spec = `  everySeconds: 60\n  concurrencyPolicy: ${policy}\n  concurrencyGroup: {name: warehouse, limit: 2}\n${task}`
    expect(said(schedule(spec))).toEqual([
      'a.yaml:7:3 error TaskSchedule/nightly spec.concurrencyGroup: with concurrencyGroup slots wait for room in the group, which they do with ' +
        'concurrencyPolicy Queue only. Set concurrencyPolicy: Queue, or remove concurrencyGroup',
    ])
  })
})

it('an alert that its schedule can never make fire is an error, unless another schedule of that name is meant', () => {
  const alert =
    'apiVersion: taskmill.dev/v1alpha1\nkind: TaskAlert\nmetadata: {name: failing}\n' +
    'spec:\n  target: {kind: TaskSchedule, name: nightly}\n  failureRate: {abovePercent: 10, minimumRuns: 20}\n  windowSeconds: 3600\n'
  const nightly = schedule(`  schedules: ["0 1 * * *"]\n${task}`)
  const often = schedule(`  everySeconds: 60\n${task}`)
  const found = /^x\/a\.yaml:6:\d+ error TaskAlert\/failing spec\.failureRate\.minimumRuns: 20 runs within 1h are out of reach/u
  expect(said({ 'x/a.yaml': alert, 'x/b.yaml': nightly, 'y/b.yaml': often })).toEqual([expect.stringMatching(found)])
  expect(said({ 'x/a.yaml': alert, 'x/b.yaml': often, 'y/b.yaml': nightly })).toEqual([])
  expect(said({ 'x/a.yaml': alert, 'x/b.yaml': schedule('  schedules: ["nonsense"]\n' + task) })).toEqual([
    expect.stringContaining('spec.schedules[0]'),
  ])
})

describe('an alert on the runs of a queue', () => {
  const consumer =
    'apiVersion: taskmill.dev/v1alpha1\nkind: WorkerPool\nmetadata: {name: pool}\n' +
    'spec:\n  queues: [{name: q}]\n  targetRef: {name: pool}\n'
  const alert =
    'apiVersion: taskmill.dev/v1alpha1\nkind: TaskAlert\nmetadata: {name: failing}\n' +
    'spec:\n  target: {kind: WorkerPool, name: pool}\n  failureRate: {abovePercent: 10, minimumRuns: 20}\n  windowSeconds: 300\n'
  const graph = (nodes: number): string =>
    'apiVersion: taskmill.dev/v1alpha1\nkind: TaskDependency\nmetadata: {name: graph}\nspec:\n  nodes:\n' +
    Array.from({ length: nodes }, (_, index) => `  - {name: n${index}, task: {type: t, queue: q}}\n`).join('')
  const each = (seconds: number, what: string): string => schedule(`  everySeconds: ${seconds}\n${what}`)
  const inQueue = '  task: {type: t, queue: q}\n'
  const ofGraph = '  dependencyRef: {name: graph}\n'
  const unreachable = 'TaskSchedule "nightly" starts at most'

  it('that its schedules start too rarely is a warning', () => {
    expect(said({ 'a.yaml': alert, 'b.yaml': consumer, 'c.yaml': each(300, inQueue) })).toEqual([
      expect.stringMatching(/^a\.yaml:6:\d+ warning TaskAlert\/failing spec\.failureRate\.minimumRuns: .*"nightly" starts at most 2 runs/u),
    ])
    expect(said({ 'a.yaml': alert, 'b.yaml': consumer, 'c.yaml': each(10, inQueue) })).toEqual([])
  })

  it('counts the nodes of graphs', () => {
    const few = said({ 'a.yaml': alert, 'b.yaml': consumer, 'c.yaml': each(300, ofGraph), 'd.yaml': graph(2) })
    expect(few).toEqual([expect.stringContaining(`${unreachable} 4 runs`)])
    expect(said({ 'a.yaml': alert, 'b.yaml': consumer, 'c.yaml': each(300, ofGraph), 'd.yaml': graph(5) })).toEqual([])
    const target = alert.replace('kind: WorkerPool, name: pool', 'kind: TaskDependency, name: graph')
    expect(said({ 'a.yaml': target, 'b.yaml': consumer, 'c.yaml': each(300, ofGraph), 'd.yaml': graph(5) })).toEqual([
      expect.stringContaining(`${unreachable} 2 runs`),
    ])
  })

  it('says nothing where no schedule beside it starts any', () => {
    expect(said({ 'a.yaml': alert, 'b.yaml': consumer })).toEqual([])
    expect(said({ 'a.yaml': alert, 'b.yaml': consumer, 'c.yaml': each(300, '  task: {type: t, queue: other}\n') })).toEqual([
      expect.stringContaining('no WorkerPool here consumes queue "other"'),
    ])
  })
})

it('renders annotations of GitHub, and colours for people', () => {
  const report = lint([{ path: 'a,b.yaml', text: schedule(`  schedules: ["100% *"]\n${task}`), isNamed: true }], { isComplete: false })
  expect(renderReport(report, 'github', { isColoured: false })).toMatch(
    /^::error file=a%2Cb\.yaml,line=5,col=15,title=TaskSchedule\/nightly::spec\.schedules\[0\]: "100%25 \*" has 2 fields, .*\n$/u,
  )
  expect(renderReport(report, 'text', { isColoured: true })).toContain(' \u001B[31merror\u001B[0m ')
  expect(JSON.parse(renderReport(report, 'json', { isColoured: true }))).toMatchObject({
    errors: 1,
    warnings: 0,
    findings: [{ line: 5, column: 15 }],
  })
})

describe('a time that has passed', () => {
  const nowMs = Date.parse('2026-11-30T00:00:00Z')
  const when = (spec: string) => said(schedule(`${spec}${task}`), { nowMs })
  it('is a warning at that time: it never fires', () => {
    expect(when('  at: ["2026-11-30T01:00:00+01:00", "2026-12-24T18:00:00Z"]\n')).toEqual([
      expect.stringMatching(
        /^a\.yaml:5:\d+ warning TaskSchedule\/nightly spec\.at\[0\]: 2026-11-30T01:00:00\+01:00 has passed: a schedule that is created now never fires it\. Next: write a later time, or remove it$/u,
      ),
    ])
    expect(when('  everySeconds: 60\n  endTime: 2026-01-01T00:00:00Z\n')).toEqual([
      expect.stringContaining(
        'spec.endTime: 2026-01-01T00:00:00Z has passed: a schedule that is created now is Completed at once. Next: write a later time',
      ),
    ])
  })

  it('is none where it is still to come, or where nobody knows the time', () => {
    expect(when('  everySeconds: 60\n  startTime: 2026-01-01T00:00:00Z\n  endTime: 2026-12-01T00:00:00Z\n')).toEqual([])
    expect(said(schedule(`  at: ["2020-01-01T00:00:00Z"]\n${task}`))).toEqual([])
  })
})
