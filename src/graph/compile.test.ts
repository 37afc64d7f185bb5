import { describe, expect, it } from 'vitest'
import { jobOf, nodeOf, payloadOf, planOf } from './fixtures.ts'
import { compileGraph, type GraphFault, type RunPlan } from './index.ts'

const faultsOf = (plan: RunPlan): readonly GraphFault[] => {
  const compiled = compileGraph(plan)
  return compiled.ok ? [] : compiled.faults
}

const ring = (length: number): RunPlan => planOf(Array.from({ length }, (_, index) => nodeOf(`n${index}`, [`n${(index + 1) % length}`])))

describe('the faults of a graph', () => {
  it.each<[string, RunPlan, readonly (readonly [reason: string, field: string, message: string])[]]>([
    ['nothing', planOf([nodeOf('a'), nodeOf('b', ['a']), nodeOf('c', ['a Failed', 'b Completed'])]), []],
    ['a node of itself', planOf([nodeOf('a', ['a'])]), [['Cycle', 'nodes[0].dependsOn[0]', 'a depends on itself: a -> a;']]],
    ['two', ring(2), [['Cycle', 'nodes[0].dependsOn[0]', 'n0 -> n1 -> n0;']]],
    [
      'two cycles apart, one longer, and what depends on them',
      planOf([
        nodeOf('x', ['c']),
        nodeOf('a', ['start', 'b']),
        nodeOf('b', ['a']),
        nodeOf('start'),
        nodeOf('c', ['d']),
        nodeOf('d', ['start', 'e']),
        nodeOf('e', ['b', 'c']),
      ]),
      [
        ['Cycle', 'nodes[1].dependsOn[1]', 'a -> b -> a;'],
        ['Cycle', 'nodes[4].dependsOn[0]', 'c -> d -> e -> c;'],
      ],
    ],
    [
      'the shortest of those that hang together',
      planOf([nodeOf('a', ['c', 'b']), nodeOf('b', ['a', 'c']), nodeOf('c', ['b'])]),
      [['Cycle', 'nodes[0].dependsOn[1]', 'a -> b -> a;']],
    ],
    [
      'an unknown node',
      planOf([nodeOf('a', ['b'])]),
      [['UnknownNode', 'nodes[0].dependsOn[0]', 'a depends on b, but there is no such node']],
    ],
    [
      'a name used twice',
      planOf([nodeOf('a'), nodeOf('b'), nodeOf('a')], { finally: [nodeOf('b')] }),
      [
        ['DuplicateNode', 'nodes[2].name', 'nodes[0] has the same name a'],
        ['DuplicateNode', 'finally[0].name', 'nodes[1] has the same name b'],
      ],
    ],
    [
      'finally within the graph',
      planOf([nodeOf('a', ['z'])], { finally: [nodeOf('z'), nodeOf('y', ['a'])] }),
      [
        ['FinallyDependency', 'nodes[0].dependsOn[0]', 'move z to nodes'],
        ['FinallyDependency', 'finally[1].dependsOn', 'remove dependsOn'],
      ],
    ],
  ])('%s', (_, plan, want) => {
    const faults = faultsOf(plan)
    expect(faults.map(({ reason, field }) => [reason, field])).toEqual(want.map(([reason, field]) => [reason, field]))
    for (const [index, [, , message]] of want.entries()) expect(faults[index]?.message).toContain(message)
  })

  it('the message lists a cycle of any length, a very long one by its ends', () => {
    for (const length of [1, 2, 3, 10, 99]) {
      const names = Array.from({ length: length + 1 }, (_, index) => `n${index % length}`)
      expect(faultsOf(ring(length))).toMatchObject([{ reason: 'Cycle', message: expect.stringContaining(names.join(' -> ')) }])
    }
    const [fault] = faultsOf(ring(10_000))
    expect(fault?.message).toMatch(/^n0 depends on itself: n0 -> n1 -> .* -> \(9901 more\) -> .* -> n9999 -> n0; /u)
    expect(fault?.message.length).toBeLessThan(2_000)
  })
})

describe('names in expressions', () => {
  const job = (container: object) => jobOf([container])
  const of = (more: Parameters<typeof nodeOf>[2], dependsOn = ['b']) =>
    planOf([nodeOf('a'), nodeOf('b', ['a']), nodeOf('c', dependsOn, more), nodeOf('side')], { finally: [nodeOf('z')] })

  it.each<[string, RunPlan, string | undefined, string]>([
    ['a node that is directly upstream', of({ when: 'nodes.b.status == "Succeeded"' }), undefined, ''],
    ['one further up', of({ when: 'nodes["a"].result.n > 0 && has(nodes.a.result)' }), undefined, ''],
    ['one that is not upstream', of({ when: 'nodes.side.result' }), 'nodes[2].when', 'side is not upstream of c'],
    ['one that is downstream', planOf([nodeOf('a', [], { when: 'nodes.b.result' }), nodeOf('b', ['a'])]), 'nodes[0].when', 'not upstream'],
    ['itself', of({ when: 'nodes.c.result' }), 'nodes[2].when', 'c is not upstream of c'],
    ['one that is not there', of({ when: 'nodes.nope.result' }), 'nodes[2].when', 'there is no node nope'],
    [
      'more than status and result',
      of({ when: 'nodes.b.outcome == ""' }),
      'nodes[2].when',
      'nodes.b has no outcome; known: status, result',
    ],
    ['nodes as a whole', of({ when: 'nodes.all(n, nodes[n].status != "Failed")' }), 'nodes[2].when', 'name each node in the text'],
    ['the facts of the run', of(payloadOf({ a: ['$(run.name) at $(run.startTime)'], b: '$(slot)$(parameters.x)' })), undefined, ''],
    ['its outcome', of(payloadOf({ a: ['x', '$(run.outcome)'] })), 'nodes[2].task.payload.a[1]', 'only finally nodes know the outcome'],
    ['an unknown variable', of({ when: 'node.b.status == ""' }), 'nodes[2].when', 'known names: nodes, run, parameters, slot'],
    ['a name with a dash', of({ when: 'nodes.b-x.status == ""' }), 'nodes[2].when', 'write a name with a dash in brackets'],
    ['no truth', of({ when: '"yes"' }), 'nodes[2].when', 'it yields string'],
    ['a type error', of({ when: '1 + "x" == 2' }), 'nodes[2].when', 'no such overload'],
    [
      'finally: everything',
      planOf([nodeOf('a')], { finally: [nodeOf('z', [], { when: 'run.outcome == nodes.a.status' })] }),
      undefined,
      '',
    ],
    [
      'finally: another of its kind',
      planOf([nodeOf('a')], { finally: [nodeOf('y'), nodeOf('z', [], { when: 'nodes.y.result' })] }),
      'finally[1].when',
      'runs at the same time',
    ],
    [
      'a Job',
      of({ job: job({ args: ['--n=$(nodes.a.result.n)'], command: ['x'], env: [{ name: 'X', value: '$(slot)' }] }) }),
      undefined,
      '',
    ],
    [
      'a Job: Kubernetes’ own references',
      of({ job: job({ args: ['--home=$(HOME)'] }) }),
      'nodes[2].job.spec.template.spec.containers[0].args[0]',
      'write $$(NAME)',
    ],
    [
      'a Job: not upstream',
      of({
        job: job({
          env: [
            { name: 'A', value: 'x' },
            { name: 'X', value: '$(nodes.side.result)' },
          ],
        }),
      }),
      'nodes[2].job.spec.template.spec.containers[0].env[1].value',
      'not upstream',
    ],
  ])('%s', (_, plan, field, message) => {
    const faults = faultsOf(plan)
    expect(faults.map((fault) => fault.field)).toEqual(field === undefined ? [] : [field])
    expect(faults[0]?.message ?? '').toContain(message)
  })

  it('all faults of all nodes are returned', () => {
    const plan = planOf([nodeOf('a', ['x', 'a'], { when: '1 +' }), nodeOf('b', [], payloadOf({ x: '$(', y: '$(nodes.a)' }))])
    expect(faultsOf(plan).map(({ reason, field }) => `${reason} ${field}`)).toEqual([
      'UnknownNode nodes[0].dependsOn[0]',
      'InvalidExpression nodes[0].when',
      'InvalidExpression nodes[1].task.payload.x',
      'Cycle nodes[0].dependsOn[1]',
    ])
  })

  it('of 10,000 nodes that each name one far upstream', () => {
    const nodes = Array.from({ length: 10_000 }, (_, index) =>
      nodeOf(`n${index}`, index === 0 ? [] : [`n${index - 1}`], index < 2 ? {} : { when: `nodes.n${Math.floor(index / 2)}.status != ""` }),
    )
    expect(faultsOf(planOf(nodes))).toEqual([])
    expect(faultsOf(planOf([...nodes, nodeOf('last', ['n4999'], { when: 'nodes.n5000.result' })]))).toHaveLength(1)
  })
})
