import { describe, expect, it } from 'vitest'
import { failed, jobOf, nodeOf, payloadOf, planOf, stageOf, succeeded } from './fixtures.ts'
import {
  nextRunStep,
  viewNodes,
  notePlaced,
  notePostponed,
  noteRefused,
  viewRun,
  type Ended,
  type PlanNode,
  type RunEntry,
} from './index.ts'

const entriesOf = (log: readonly string[]): readonly RunEntry[] => log.map((document) => JSON.parse(document) as RunEntry)
const endOf = (log: readonly string[], node: string): Ended | undefined =>
  entriesOf(log).find((entry): entry is Ended => entry.kind === 'Ended' && entry.node === node)
const finishedOf = (log: readonly string[]) => entriesOf(log).find((entry) => entry.kind === 'Finished')

describe('a run from its begin to its end', () => {
  it('one node', () => {
    const stage = stageOf(planOf([nodeOf('task')]))
    expect(stage.play(0)).toEqual(['append begin: Begun, Started task', 'place task', 'wait'])
    expect(viewRun(stage.run)).toMatchObject({ nodes: 1, final: 0, running: 1, finished: undefined })
    expect(stage.play(5, { ended: [succeeded('task', { result: { n: 1 }, attemptsMade: 2, worker: 'w' })] })).toEqual([
      'append end: task Succeeded, Finished Succeeded',
      'acknowledge task',
      'wait',
    ])
    expect(endOf(stage.log, 'task')).toEqual({
      v: 1,
      kind: 'Ended',
      atMs: 5,
      node: 'task',
      outcome: 'Succeeded',
      reason: 'Succeeded',
      result: { n: 1 },
      attemptsMade: 2,
      worker: 'w',
    })
    expect(stage.play(9, { ended: [failed('task')] })).toEqual(['acknowledge task', 'wait'])
    expect(viewRun(stage.run)?.finished).toMatchObject({ outcome: 'Succeeded', message: '1 of 1 node succeeded' })
  })

  it('one append holds the end of a node and the start of its downstream nodes', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a']), nodeOf('c', ['a', 'b']), nodeOf('d')], { finally: [nodeOf('z')] }))
    expect(stage.play(0)).toEqual(['append begin: Begun, Started a, Started d', 'place a d', 'wait'])
    expect(viewNodes(stage.run).map(({ name, state, waitsFor }) => [name, state, waitsFor])).toEqual([
      ['a', 'Running', []],
      ['b', 'Pending', ['a']],
      ['c', 'Pending', ['a', 'b']],
      ['d', 'Running', []],
      ['z', 'Pending', []],
    ])
    expect(stage.play(1, { ended: [succeeded('a'), succeeded('a')] })).toEqual([
      'append end: a Succeeded, Started b',
      'place b',
      'acknowledge a',
      'wait',
    ])
    expect(stage.play(2, { ended: [succeeded('b'), succeeded('d')] })).toEqual([
      'append end: b Succeeded, d Succeeded, Started c',
      'place c',
      'acknowledge b d',
      'wait',
    ])
    expect(stage.play(3, { ended: [succeeded('c')] })).toEqual(['append end: c Succeeded, Started z', 'place z', 'acknowledge c', 'wait'])
    expect(stage.play(4, { ended: [succeeded('z')] })).toEqual(['append end: z Succeeded, Finished Succeeded', 'acknowledge z', 'wait'])
  })

  it('a new process repeats the effects of started nodes, and only those', () => {
    const plan = planOf([nodeOf('a'), nodeOf('b'), nodeOf('c', ['a'])])
    const before = stageOf(plan)
    before.play(0)
    before.play(1, { ended: [succeeded('a')] })
    const after = stageOf(plan, [...before.log])
    expect(after.play(2)).toEqual(['place b c', 'wait'])
    expect(after.play(3)).toEqual(['wait'])
  })

  it('a run without nodes runs only finally', () => {
    expect(stageOf(planOf([])).play(0)).toEqual(['append begin: Begun, Finished Skipped', 'wait'])
    const stage = stageOf(planOf([], { finally: [nodeOf('z')] }))
    expect(stage.play(0)).toEqual(['append begin: Begun, Started z', 'place z', 'wait'])
    expect(stage.play(1, { ended: [succeeded('z')] })).toContain('append end: z Succeeded, Finished Skipped')
  })

  it('a run begins when its time has come, and not before', () => {
    const plan = planOf([nodeOf('task')])
    const stage = stageOf(plan)
    const begin = { token: 'abc', graph: stage.graph, notBeforeMs: 60_000 }
    expect(stage.play(0, { begin, ended: [succeeded('task')] })).toEqual(['acknowledge task', 'wait until 60000'])
    expect(stage.play(59_999, { begin })).toEqual(['wait until 60000'])
    expect(stage.play(60_000, { begin })).toEqual(['append begin: Begun, Started task', 'place task', 'wait'])
    expect(stage.play(60_001, { begin: { ...begin, notBeforeMs: 90_000 } })).toEqual(['wait'])
  })

  it('a run that is paused starts nothing, records ends, and goes on later', () => {
    const plan = planOf([nodeOf('a'), nodeOf('b', ['a']), nodeOf('c')], { finally: [nodeOf('z')] })
    const stage = stageOf(plan)
    const paused = { desired: 'Paused' } as const
    expect(stage.play(0, paused)).toEqual(['wait'])
    stage.play(1)
    expect(stage.play(2, { ...paused, ended: [succeeded('a')] })).toEqual(['append end: a Succeeded', 'acknowledge a', 'wait'])
    expect(stage.play(3, { ...paused, ended: [failed('c')] })).toEqual([
      'append end: c Failed (AttemptsExhausted)',
      'acknowledge c',
      'wait',
    ])
    expect(stage.play(4)[0]).toMatch(/^append advance: b Omitted \(RunStopped\), Started z/u)
    // The last node of a paused run ends it.
    expect(stage.play(5, { ...paused, ended: [succeeded('z')] })).toEqual([
      'append end: z Succeeded, Finished Failed',
      'acknowledge z',
      'wait',
    ])
  })

  it('a paused run is cancelled, and its time limit passes', () => {
    const cancelled = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a'])]))
    cancelled.play(0)
    cancelled.play(1, { desired: 'Paused' })
    expect(cancelled.play(2, { desired: 'Cancelled' }).at(-2)).toContain('Finished Cancelled')
    const limited = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a'])], { timeoutSeconds: 1 }))
    limited.play(0)
    expect(limited.play(1_000, { desired: 'Paused' }).at(-2)).toContain('Finished TimedOut')
  })

  it('a node with a slot of its own has it in its expressions, also in another process', () => {
    const slotted = (day: string) => nodeOf(`d${day}`, [], { ...payloadOf({ at: '$(slot)' }), slot: `2026-11-${day}T00:00:00Z` })
    const plan = planOf([slotted('01'), slotted('02'), nodeOf('run', [], payloadOf({ at: '$(slot)' }))], { slot: '2026-11-29T00:00:00Z' })
    const stage = stageOf(plan)
    stage.play(0)
    const other = stageOf(plan, [...stage.log])
    const step = nextRunStep(other.run, { desired: 'Running', ended: [] }, 1)
    const payloads = step.kind === 'Place' ? step.nodes.map((node) => ('task' in node ? node.task.payload : undefined)) : []
    expect(payloads).toEqual(['01', '02', '29'].map((day) => ({ at: `2026-11-${day}T00:00:00Z` })))
  })

  it('the log of a run with such nodes is of a version that older operators refuse', () => {
    const versionOf = (node: PlanNode) => {
      const stage = stageOf(planOf([node]))
      stage.play(0)
      return (JSON.parse(stage.log[0] ?? '') as { readonly v: number }).v
    }
    expect([versionOf(nodeOf('a')), versionOf(nodeOf('a', [], { slot: '2026-11-29T00:00:00Z' }))]).toEqual([1, 2])
  })

  it('a run that is cancelled before its time ends at once, and starts nothing', () => {
    const stage = stageOf(planOf([nodeOf('a')], { finally: [nodeOf('z')] }))
    const begin = { token: 'abc', graph: stage.graph, notBeforeMs: 60_000 }
    expect(stage.play(0, { begin, desired: 'Cancelled' })).toEqual([
      'append begin: Begun, Cancelling, a Omitted (RunCancelled), z Omitted (RunCancelled), Finished Cancelled',
      'wait',
    ])
  })

  it('a run that must not begin does not, and its ends are acknowledged', () => {
    const stage = stageOf(planOf([nodeOf('a')]))
    expect(stage.play(0, { begin: undefined, ended: [succeeded('a')] })).toEqual(['acknowledge a', 'wait'])
    expect(stage.log).toEqual([])
  })

  it('entries that do not fit into one append are split', () => {
    const stage = stageOf(planOf(Array.from({ length: 1_200 }, (_, index) => nodeOf(`n${index}`))))
    const steps = stage.play(0).map((step) => step.slice(0, 20))
    expect(steps.filter((step) => step.startsWith('append'))).toEqual([
      'append begin: Begun,',
      'append advance: Star',
      'append advance: Star',
    ])
    const ended = Array.from({ length: 1_200 }, (_, index) => succeeded(`n${index}`))
    stage.play(1, { ended })
    expect(finishedOf(stage.log)).toMatchObject({ outcome: 'Succeeded' })
  })
})

describe('edges', () => {
  it.each([
    ['Succeeded', succeeded('a'), 'Started b'],
    ['Succeeded', failed('a'), 'b Omitted (ConditionNotMet)'],
    ['Failed', succeeded('a'), 'b Omitted (ConditionNotMet)'],
    ['Failed', failed('a'), 'Started b'],
    ['Completed', succeeded('a'), 'Started b'],
    ['Completed', failed('a'), 'Started b'],
  ])('%s after an end as %o', (condition, end, then) => {
    const stage = stageOf(planOf([nodeOf('a', [], { required: false }), nodeOf('b', [`a ${condition}`])]))
    stage.play(0)
    expect(stage.play(1, { ended: [end] })[0]).toContain(then)
  })

  it('Failed holds for a node that timed out, Completed for one that was skipped or omitted', () => {
    const plan = planOf(
      [
        nodeOf('a', [], { timeoutSeconds: 1, required: false }),
        nodeOf('b', ['a Failed']),
        nodeOf('skipped', [], { when: 'false' }),
        nodeOf('omitted', ['skipped']),
        nodeOf('c', ['skipped Completed', 'omitted Completed']),
      ],
      { onNodeFailure: 'Continue' },
    )
    const stage = stageOf(plan)
    expect(stage.play(0)).toEqual([
      'append begin: Begun, Started a, skipped Skipped (WhenFalse), omitted Omitted (ConditionNotMet), Started c',
      'place a c',
      'wait until 1000',
    ])
    expect(stage.play(1_000)).toEqual([
      'append stop: Stopping a',
      'remove a',
      'append stopped: a TimedOut (TimeoutExceeded), Started b',
      'place b',
      'wait',
    ])
    expect(endOf(stage.log, 'omitted')?.message).toBe('it requires skipped to end as Succeeded, but it ended as Skipped')
  })

  it('a node is omitted as soon as one of its edges can no longer hold', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('slow'), nodeOf('b', ['slow', 'a Failed']), nodeOf('c', ['b Completed'])]))
    stage.play(0)
    expect(stage.play(1, { ended: [succeeded('a')] })[0]).toBe('append end: a Succeeded, b Omitted (ConditionNotMet), Started c')
  })
})

describe('a failure', () => {
  const nodes = [
    nodeOf('a'),
    nodeOf('handler', ['a Failed']),
    nodeOf('report', ['handler']),
    nodeOf('always', ['a Completed', 'side Completed']),
    nodeOf('side'),
    nodeOf('next', ['side']),
  ]

  it('Stop: only nodes that react to it start, and nodes that follow those', () => {
    const stage = stageOf(planOf(nodes))
    stage.play(0)
    expect(stage.play(1, { ended: [failed('a', { message: 'no space left' })] })[0]).toBe(
      'append end: a Failed (AttemptsExhausted), Started handler',
    )
    expect(stage.play(2, { ended: [succeeded('side'), succeeded('handler')] })[0]).toBe(
      'append end: side Succeeded, handler Succeeded, Started always, next Omitted (RunStopped), Started report',
    )
    stage.play(3, { ended: [succeeded('always'), succeeded('report')] })
    expect(finishedOf(stage.log)).toMatchObject({
      outcome: 'Failed',
      reason: 'AttemptsExhausted',
      message: 'a: AttemptsExhausted, no space left',
    })
    expect(endOf(stage.log, 'next')?.message).toContain('after the failure of a (onNodeFailure: Stop)')
  })

  it('Stop: a node that follows an omitted node does not react', () => {
    const stage = stageOf(
      planOf([
        nodeOf('a'),
        nodeOf('b'),
        nodeOf('both', ['a Failed', 'b']),
        nodeOf('after', ['both Completed']),
        nodeOf('last', ['after Completed']),
      ]),
    )
    stage.play(0)
    const [append] = stage.play(1, { ended: [failed('a'), failed('b')] })
    expect(append).toContain('both Omitted (ConditionNotMet), after Omitted (RunStopped), last Omitted (RunStopped), Finished Failed')
  })

  it('Continue: nodes that do not depend on it continue', () => {
    const stage = stageOf(planOf(nodes, { onNodeFailure: 'Continue' }))
    stage.play(0)
    stage.play(1, { ended: [failed('a')] })
    expect(stage.play(2, { ended: [succeeded('side')] })[0]).toContain('Started next')
    stage.play(3, { ended: ['next', 'handler', 'always'].map((node) => succeeded(node)) })
    stage.play(4, { ended: [succeeded('report')] })
    expect(finishedOf(stage.log)).toMatchObject({ outcome: 'Failed' })
  })

  it('of a node that is not required does not fail the run', () => {
    const stage = stageOf(planOf([nodeOf('a', [], { required: false }), nodeOf('b', ['a']), nodeOf('side')]))
    stage.play(0)
    expect(stage.play(1, { ended: [failed('a'), succeeded('side')] })[0]).toContain('b Omitted (ConditionNotMet), Finished Succeeded')
  })

  it('of an upstream node is not hidden by a leaf that succeeded', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('cleanup', ['a Completed'])]))
    stage.play(0)
    stage.play(1, { ended: [failed('a')] })
    expect(stage.play(2, { ended: [succeeded('cleanup')] })[0]).toBe('append end: cleanup Succeeded, Finished Failed')
  })

  it('the message of many failures names the first few', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const stage = stageOf(planOf(names.map((name) => nodeOf(name))))
    stage.play(0)
    stage.play(1, { ended: names.map((name) => failed(name, { message: 'x'.repeat(10) })) })
    expect(finishedOf(stage.log)).toMatchObject({
      message: expect.stringMatching(/^a: AttemptsExhausted, xxxxxxxxxx; b: .*; c: .*; and 2 more$/u),
    })
  })

  it('a refused effect counts as a failure', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a Failed'])]))
    const begun = stageOf(planOf([nodeOf('a')]))
    const step = nextRunStep(begun.run, { desired: 'Running', ended: [] }, 0)
    expect(step).toEqual({ kind: 'Wait' })
    stage.play(0)
    noteRefused(stage.run, 'a', { reason: 'JobInvalid', message: 'containers: Required value' })
    expect(stage.play(1)[0]).toBe('append refused: a Failed (JobInvalid), Started b')
  })
})

describe('a Kubernetes Job', () => {
  const plan = planOf([nodeOf('a', [], { job: jobOf([{}]), timeoutSeconds: 100 }), nodeOf('b', ['a'])])

  it('is created once: the log records that it existed, so that it is not created again', () => {
    const stage = stageOf(plan)
    expect(stage.play(0)).toEqual(['append begin: Begun, Started a', 'place a', 'append placed: Placed a', 'wait until 100000'])
    expect(stageOf(plan, [...stage.log.slice(0, 2)]).play(1)[0]).toBe('place a')
    expect(stageOf(plan, [...stage.log]).play(1)).toEqual(['wait until 100000'])
  })

  it('needs no Placed entry if it has ended', () => {
    const stage = stageOf(plan)
    nextRunStep(stage.run, { desired: 'Running', ended: [] }, 0)
    stage.play(0)
    const log = stage.log.slice(0, 2)
    const begun = stageOf(plan, [...log])
    notePlaced(begun.run, ['a'])
    expect(begun.play(1, { ended: [failed('a')] })[0]).toBe(
      'append end: a Failed (AttemptsExhausted), b Omitted (ConditionNotMet), Finished Failed',
    )
  })

  it('that cannot be created now is retried at growing distances, and can be cancelled meanwhile', () => {
    const stage = stageOf(planOf([nodeOf('a', [], { job: jobOf([{}]) })]))
    const placing = { desired: 'Running', ended: [], begin: undefined } as const
    stage.play(0)
    const run = stageOf(plan, stage.log.slice(0, 2)).run
    const waits = [0, 1_000, 3_000, 7_000].map((nowMs) => {
      expect(nextRunStep(run, placing, nowMs)).toMatchObject({ kind: 'Place' })
      notePostponed(run, 'a', { message: 'exceeded quota', isRefused: true }, nowMs)
      return nextRunStep(run, placing, nowMs)
    })
    expect(waits).toEqual([1_000, 3_000, 7_000, 15_000].map((untilMs) => ({ kind: 'Wait', untilMs })))
    expect(viewNodes(run)[0]).toMatchObject({ state: 'Running', postponed: { tries: 4, message: 'exceeded quota' } })
    expect(nextRunStep(run, { ...placing, desired: 'Cancelled' }, 8_000)).toMatchObject({ kind: 'Append', what: 'cancel' })
    notePlaced(run, ['a'])
    expect(viewNodes(run)[0]).toMatchObject({ postponed: undefined })
  })
})

describe('expressions', () => {
  it('read the results of upstream nodes', () => {
    const stage = stageOf(
      planOf(
        [
          nodeOf('a'),
          nodeOf('few', ['a'], { when: 'nodes.a.result.items < 3' }),
          nodeOf('many', ['a'], {
            when: 'nodes.a.result.items >= 3 && nodes.a.status == "Succeeded"',
            ...payloadOf({ items: '$(nodes.a.result.items)', by: '$(run.name) of $(slot) since $(run.startTime) in $(parameters.city)' }),
          }),
        ],
        {
          slot: '2026-11-29T00:00:00Z',
          parameters: { city: 'Bonn' },
          finally: [nodeOf('z', [], payloadOf({ outcome: '$(run.outcome)' }))],
        },
      ),
    )
    stage.play(0)
    const knowledge = { desired: 'Running', ended: [] } as const
    expect(stage.play(1, { ended: [succeeded('a', { result: { items: 5 } })] })[0]).toContain('few Skipped (WhenFalse), Started many')
    const again = stageOf(planOf([]), [...stage.log])
    expect(nextRunStep(again.run, knowledge, 2)).toMatchObject({
      kind: 'Place',
      nodes: [{ name: 'many', task: { payload: { items: 5, by: 'run of 2026-11-29T00:00:00Z since 1970-01-01T00:00:00.000Z in Bonn' } } }],
    })
    again.play(2, { ended: [succeeded('many')] })
    expect(nextRunStep(stageOf(planOf([]), [...again.log]).run, knowledge, 3)).toMatchObject({
      nodes: [{ name: 'z', task: { payload: { outcome: 'Succeeded' } } }],
    })
  })

  it('fill in command, args and env of the containers of a Job', () => {
    const container = {
      name: 'main',
      image: 'x:$(1)',
      command: ['run', '$(parameters.n)'],
      args: ['--all=$(parameters)', '$$(HOME)'],
      env: [
        { name: 'N', value: '$(parameters.n)' },
        { name: 'M', valueFrom: { fieldRef: {} } },
      ],
    }
    const job = { ...jobOf([{}], { initContainers: [container], backoffLimit: 1 }), metadata: { labels: { a: 'b' } } }
    const stage = stageOf(planOf([nodeOf('a', [], { job })], { parameters: { n: 3 } }))
    stage.play(0)
    const filled = {
      ...container,
      command: ['run', '3'],
      args: ['--all={"n":3}', '$(HOME)'],
      env: [
        { name: 'N', value: '3' },
        { name: 'M', valueFrom: { fieldRef: {} } },
      ],
    }
    expect(nextRunStep(stageOf(planOf([]), stage.log.slice(0, 2)).run, { desired: 'Running', ended: [] }, 1)).toEqual({
      kind: 'Place',
      nodes: [{ name: 'a', job: { ...job, ...jobOf([{}], { initContainers: [filled], backoffLimit: 1 }) } }],
    })
  })

  it.each([
    ['when', nodeOf('b', ['a'], { when: 'nodes.a.result.n > 1' }), 'no such key'],
    ['no truth', nodeOf('b', ['a'], { when: 'nodes.a.status' }), 'when yields "Succeeded", but must yield true or false'],
    ['a payload', nodeOf('b', ['a'], payloadOf({ x: '$(parameters.missing)' })), 'no such key: missing'],
    ['a slot that is not there', nodeOf('b', ['a'], payloadOf({ x: '$(slot)' })), 'slot'],
  ])('a failing expression fails its node: %s', (_, node, message) => {
    const stage = stageOf(planOf([nodeOf('a'), node, nodeOf('c', ['b Failed'])]))
    stage.play(0)
    expect(stage.play(1, { ended: [succeeded('a')] })[0]).toBe('append end: a Succeeded, b Failed (InvalidExpression), Started c')
    expect(endOf(stage.log, 'b')?.message).toContain(message)
  })
})

describe('time', () => {
  it('the time limit of a node counts from its start, whatever its effect does', () => {
    const stage = stageOf(
      planOf([nodeOf('a', [], { timeoutSeconds: 5 }), nodeOf('b', [], { timeoutSeconds: 3 }), nodeOf('c', ['b Failed'])]),
    )
    expect(stage.play(1_000).at(-1)).toBe('wait until 4000')
    expect(stage.play(3_999)).toEqual(['wait until 4000'])
    expect(stage.play(4_000, {}, { b: 'Running' })).toEqual([
      'append stop: Stopping b',
      'remove b',
      'append stopped: b TimedOut (TimeoutExceeded), Started c',
      'place c',
      'wait until 6000',
    ])
    expect(endOf(stage.log, 'b')?.message).toBe('it took longer than 3 s; its job still runs in queue work, but its end no longer counts')
    expect(stage.play(5_000, { ended: [succeeded('b')] })).toEqual(['acknowledge b', 'wait until 6000'])
    expect(stage.play(5_500, { ended: [succeeded('a')] }).at(-1)).toBe('wait')
  })

  it('a real end that arrives before the made one wins', () => {
    const stage = stageOf(planOf([nodeOf('a', [], { timeoutSeconds: 1 })]))
    stage.play(0)
    expect(stage.play(1_000, {}, { a: 'Ended' })).toEqual(['append stop: Stopping a', 'remove a', 'wait'])
    expect(stage.play(1_100, { ended: [succeeded('a')] })[0]).toBe('append end: a Succeeded, Finished Succeeded')
  })

  it('the run: running nodes are stopped, the rest is omitted, finally runs', () => {
    const plan = planOf([nodeOf('a'), nodeOf('b', ['a Completed']), nodeOf('done')], { timeoutSeconds: 10, finally: [nodeOf('z')] })
    const stage = stageOf(plan)
    expect(stage.play(0).at(-1)).toBe('wait until 10000')
    stage.play(1, { ended: [succeeded('done')] })
    expect(stage.play(10_000)).toEqual([
      'append timeout: TimedOut, Stopping a',
      'remove a',
      'append stopped: a TimedOut (RunTimedOut), b Omitted (RunTimedOut), Started z',
      'place z',
      'wait',
    ])
    stage.play(20_000, { ended: [succeeded('z')] })
    expect(finishedOf(stage.log)).toMatchObject({ outcome: 'TimedOut', reason: 'TimeoutExceeded' })
  })

  it('the run: too late once all nodes have ended', () => {
    const stage = stageOf(planOf([nodeOf('a')], { timeoutSeconds: 10, finally: [nodeOf('z', [], { timeoutSeconds: 60 })] }))
    stage.play(0)
    expect(stage.play(1, { ended: [succeeded('a')] }).at(-1)).toBe('wait until 60001')
    expect(stage.play(10_000)).toEqual(['wait until 60001'])
    expect(stage.play(60_001)).toContain('append stopped: z TimedOut (TimeoutExceeded), Finished Failed')
  })
})

describe('cancellation', () => {
  it('stops running nodes, omits the rest, and lets finally run', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a'])], { finally: [nodeOf('z', [], { when: 'run.outcome == "Cancelled"' })] }))
    stage.play(0)
    expect(stage.play(1, { desired: 'Cancelled' })).toEqual([
      'append cancel: Cancelling, Stopping a',
      'remove a',
      'append stopped: a Cancelled (RunCancelled), b Omitted (ConditionNotMet), Started z',
      'place z',
      'wait',
    ])
    stage.play(2, { desired: 'Cancelled', ended: [succeeded('z')] })
    expect(finishedOf(stage.log)).toMatchObject({ outcome: 'Cancelled', message: expect.stringContaining('the run was cancelled') })
  })

  it('before the start: no node starts, not even finally', () => {
    expect(stageOf(planOf([nodeOf('a')], { finally: [nodeOf('z')] })).play(0, { desired: 'Cancelled' })).toEqual([
      'append begin: Begun, Cancelling, a Omitted (RunCancelled), z Omitted (RunCancelled), Finished Cancelled',
      'wait',
    ])
  })

  it('a failure before it fails the run; it comes too late once all nodes have ended', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b')], { onNodeFailure: 'Continue' }))
    stage.play(0)
    stage.play(1, { ended: [failed('a')] })
    expect(stage.play(2, { desired: 'Cancelled' }).at(-2)).toBe('append stopped: b Cancelled (RunCancelled), Finished Failed')
    const late = stageOf(planOf([nodeOf('a')], { finally: [nodeOf('z')] }))
    late.play(0)
    late.play(1, { ended: [succeeded('a')] })
    expect(late.play(2, { desired: 'Cancelled' })).toEqual(['wait'])
    expect(late.play(3, { desired: 'Cancelled', ended: [succeeded('z')] })[0]).toContain('Finished Succeeded')
  })

  it('a job that was not placed yet is never placed', () => {
    const plan = planOf([nodeOf('a')])
    const first = stageOf(plan)
    const step = nextRunStep(first.run, { desired: 'Running', ended: [], begin: undefined }, 0)
    expect(step.kind).toBe('Wait')
    first.play(0)
    const second = stageOf(plan, [...first.log])
    expect(second.play(1, { desired: 'Cancelled' }, { a: 'Absent' })).toEqual([
      'append cancel: Cancelling, Stopping a',
      'remove a',
      'append stopped: a Cancelled (RunCancelled), Finished Cancelled',
      'wait',
    ])
  })
})

describe('deletion', () => {
  it('removes jobs that have not ended, acknowledges the ends, then deletes the log', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b'), nodeOf('c', ['a'])], { finally: [nodeOf('z')] }))
    stage.play(0)
    expect(stage.play(1, { desired: 'Deleted', ended: [succeeded('a')] }, { a: 'Ended', b: 'Running' })).toEqual([
      'append forget: Deleting',
      'remove a b',
      'acknowledge a',
      'delete',
    ])
  })

  it('of a finished run, or of one that has not begun, only deletes the log', () => {
    const stage = stageOf(planOf([nodeOf('a')]))
    expect(stage.play(0, { desired: 'Deleted' })).toEqual(['delete'])
    stage.play(0)
    stage.play(1, { ended: [succeeded('a')] })
    expect(stage.play(2, { desired: 'Deleted' })).toEqual(['delete'])
  })

  it('that has begun continues, even if a run of that name is wanted; the new run starts afterwards', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a'])]))
    stage.play(0)
    const begun = [...stage.log]
    stage.play(1, { desired: 'Deleted' })
    const next = stageOf(planOf([nodeOf('a'), nodeOf('b', ['a'])]), [...begun, JSON.stringify({ v: 1, kind: 'Deleting', atMs: 1_000 })])
    expect(next.play(2, { ended: [succeeded('a')] }, { a: 'Ended' })).toEqual(['remove a', 'acknowledge a', 'delete'])
  })
})

describe('bounds', () => {
  it('a result that is too large is dropped, and the message says so', () => {
    const stage = stageOf(planOf([nodeOf('a'), nodeOf('b')]))
    stage.play(0)
    const ended = [succeeded('a', { result: 'ä'.repeat(8_191) }), succeeded('b', { result: 'ä'.repeat(8_192), message: 'x'.repeat(5_000) })]
    stage.play(1, { ended })
    expect(endOf(stage.log, 'a')).toHaveProperty('result')
    expect(endOf(stage.log, 'b')).not.toHaveProperty('result')
    expect(endOf(stage.log, 'b')?.message).toMatch(/^x{1024}; its result of 16386 bytes was dropped; at most 16384 bytes are kept$/u)
  })
})
