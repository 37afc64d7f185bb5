import { describe, expect, it } from 'vitest'
import { failed, jobOf, nodeOf, planOf, stageOf, succeeded } from './fixtures.ts'
import { createRun, foldRun, nextRunStep, viewNodes, viewRun, type Run } from './index.ts'

const plan = planOf(
  [
    nodeOf('a', [], { timeoutSeconds: 5 }),
    nodeOf('b', ['a Completed']),
    nodeOf('c', [], { required: false }),
    nodeOf('d', ['c Failed'], { job: jobOf([{}]) }),
    nodeOf('e', ['b', 'd']),
  ],
  { finally: [nodeOf('z')], timeoutSeconds: 100, onNodeFailure: 'Continue', slot: '2026-11-29T00:00:00Z', parameters: { x: [1] } },
)

/** One log with every kind of entry. */
function logged(): readonly string[] {
  const stage = stageOf(plan)
  stage.play(0)
  stage.play(1, { ended: [failed('c', { message: 'no', attempts: 3, attemptsMade: 3, worker: 'w', startedAtMs: 1, finishedAtMs: 2 })] })
  stage.play(5_000)
  stage.play(6_000, { ended: [succeeded('b', { result: [1, { x: null }] })] })
  stage.play(100_000)
  stage.play(100_001, { ended: [succeeded('z')] })
  return stage.log
}

const folded = (documents: readonly string[], run?: Run): Run => {
  const result = foldRun(documents, run)
  if (!result.ok) throw new Error(result.message)
  return result.run
}

describe('a log', () => {
  it('folded in pieces is the same as folded whole, after every entry', () => {
    const log = logged()
    expect(new Set(log.map((document) => (JSON.parse(document) as { kind: string }).kind)).size).toBe(7)
    for (let cut = 0; cut <= log.length; cut++) {
      const run = folded(log.slice(cut), folded(log.slice(0, cut)))
      const whole = folded(log)
      expect([viewNodes(run), viewRun(run), run.length]).toEqual([viewNodes(whole), viewRun(whole), log.length])
    }
  })

  it('every prefix of it yields the next step', () => {
    const log = logged()
    const steps = log.map((_, length) => nextRunStep(folded(log.slice(0, length)), { desired: 'Running', ended: [] }, 0).kind)
    expect(steps).not.toContain('Delete')
    expect(viewRun(folded(log))).toMatchObject({
      nodes: 6,
      final: 6,
      running: 0,
      failed: 2,
      isTimedOut: true,
      finished: { outcome: 'Failed' },
    })
    expect(viewRun(createRun())).toBeUndefined()
  })

  it('with unknown fields is read without them', () => {
    const log = logged()
    const later = log.map((document) => JSON.stringify({ later: { than: 'this' }, ...(JSON.parse(document) as object) }))
    expect(viewNodes(folded(later))).toEqual(viewNodes(folded(log)))
  })

  it.each<[string, (log: readonly string[]) => readonly string[], string]>([
    ['of a later version', (log) => [...log, '{"v":2,"kind":"Ended"}'], 'v is 2, but only 1 is supported'],
    ['with an unknown kind', (log) => [...log, '{"v":1,"kind":"Paused","atMs":1}'], 'kind is "Paused"'],
    ['that is damaged', (log) => [...log, '{'], 'JSON'],
    ['without its begin', (log) => log.slice(1), 'Started comes before Begun'],
    ['begun twice', (log) => [log[0] ?? '', ...log], 'Begun appears twice'],
    ['of another plan', (log) => [...log, '{"v":1,"kind":"Started","atMs":1,"node":"x"}'], 'there is no node x'],
    ['with a damaged plan', ([begun = '']) => [begun.replace('"name":"a"', '"name":"b"')], 'has the same name b'],
    ['with a node that does nothing', ([begun = '']) => [begun.replace('"job"', '"jab"')], 'must have exactly one of task and job'],
    [
      'with an unknown outcome',
      (log) => [...log, '{"v":1,"kind":"Ended","atMs":1,"node":"a","outcome":"Lost","reason":"x"}'],
      'outcome is "Lost"',
    ],
  ])('%s cannot be read, so it is not overwritten', (_, change, message) => {
    const result = foldRun(change(logged()))
    expect(!result.ok && result.message).toContain(message)
  })
})
