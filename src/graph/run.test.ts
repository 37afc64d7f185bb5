import { describe, expect, it } from 'vitest'
import { failed, jobOf, nodeOf, planOf, stageOf, succeeded } from './fixtures.ts'
import { archiveOf, compileGraph, createRun, foldRun, nextRunStep, tokenOfRun, viewNodes, viewRun, type Run } from './index.ts'

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

const archivedEntry = '{"v":1,"kind":"Archived","atMs":1,"token":"t","outcome":"Failed","reason":"r","message":"m"}'

it('a node that is a run of another graph keeps its template, is recorded once it exists, and no operator without such nodes reads it', () => {
  const slot = '2026-11-01T01:00:00Z'
  const stage = stageOf(planOf([nodeOf('a', [], { slot, run: { dependency: 'morning', parameters: { day: slot, text: '$(literal)' } } })]))
  expect(stage.play(0)).toEqual(['append begin: Begun, Started a', 'place a', 'append placed: Placed a', 'wait'])
  const run = folded(stage.log)
  expect(run.begun).toMatchObject({ v: 2, plan: { nodes: [{ slot, run: { dependency: 'morning', parameters: { text: '$(literal)' } } }] } })
  // It is not created again by the next process.
  expect(nextRunStep(run, { desired: 'Running', ended: [] }, 1)).toEqual({ kind: 'Wait', untilMs: undefined })
})

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

  it('is archived seven days after its end: outcome and token stay, and nothing begins or runs again', () => {
    const run = folded(logged())
    const { finished } = viewRun(run) ?? {}
    const endedAtMs = finished?.atMs ?? NaN
    const dueMs = endedAtMs + 7 * 86_400_000
    expect(archiveOf(run, dueMs - 1)).toBeUndefined()
    const entry = archiveOf(run, dueMs)
    expect(entry).toMatchObject({ kind: 'Archived', atMs: endedAtMs, token: tokenOfRun(run), outcome: 'Failed', reason: finished?.reason })
    const archived = folded([JSON.stringify(entry)])
    expect(viewRun(archived)?.finished).toEqual(finished)
    expect([viewNodes(archived), tokenOfRun(archived), archived.length]).toEqual([[], tokenOfRun(run), 1])
    const compiled = compileGraph(plan)
    if (!compiled.ok) throw new Error('the plan has faults')
    const begin = { token: 'another', graph: compiled.graph }
    const late = [failed('c')]
    for (const desired of ['Running', 'Cancelled'] as const) {
      expect(nextRunStep(archived, { desired, ended: [], begin }, dueMs)).toEqual({ kind: 'Wait' })
      expect(nextRunStep(archived, { desired, ended: late, begin }, dueMs)).toEqual({ kind: 'Acknowledge', nodes: ['c'] })
    }
    expect(nextRunStep(archived, { desired: 'Deleted', ended: late }, dueMs)).toEqual({ kind: 'Acknowledge', nodes: ['c'] })
    expect(nextRunStep(archived, { desired: 'Deleted', ended: [] }, dueMs)).toEqual({ kind: 'Delete' })
    expect(archiveOf(archived, dueMs)).toBeUndefined()
  })

  it('of a run that has not ended, or is being deleted, is never archived', () => {
    const log = logged()
    for (const length of log.keys()) expect(archiveOf(folded(log.slice(0, length)), Infinity)).toBeUndefined()
    expect(archiveOf(folded([...log, '{"v":1,"kind":"Deleting","atMs":1}']), Infinity)).toBeUndefined()
  })

  it.each<[string, (log: readonly string[]) => readonly string[], string]>([
    ['archived beside others', (log) => [...log, archivedEntry], 'Archived does not stand alone'],
    ['that continues an archived one', (log) => [archivedEntry, ...log.slice(1)], 'comes after Archived'],
    ['of a later version', (log) => [...log, '{"v":3,"kind":"Ended"}'], 'v is 3, but only 1 and 2 are supported'],
    ['with an unknown kind', (log) => [...log, '{"v":1,"kind":"Paused","atMs":1}'], 'kind is "Paused"'],
    ['that is damaged', (log) => [...log, '{'], 'JSON'],
    ['without its begin', (log) => log.slice(1), 'Started comes before Begun'],
    ['begun twice', (log) => [log[0] ?? '', ...log], 'Begun appears twice'],
    ['of another plan', (log) => [...log, '{"v":1,"kind":"Started","atMs":1,"node":"x"}'], 'there is no node x'],
    ['with a damaged plan', ([begun = '']) => [begun.replace('"name":"a"', '"name":"b"')], 'has the same name b'],
    ['with a node that does nothing', ([begun = '']) => [begun.replace('"job"', '"jab"')], 'must have exactly one of task, job, run'],
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
