import { expect, it } from 'vitest'
import type { JobTemplate, TaskDependency } from '../../api/index.ts'
import { classifyRefusal, taskmillError } from '../../errors/index.ts'
import type { Trial } from '../../services/jobs/index.ts'
import { tryJobs } from './gather.ts'

const refusedField = classifyRefusal(
  taskmillError('TM_KUBE_INVALID', 'Job.batch "trial" is invalid', {
    details: { status: 422, causes: [{ field: 'spec.backoffLimit', message: 'Invalid value' }] },
  }),
)

const jobOf = (image: string): JobTemplate => ({
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } } },
})
const graph = {
  metadata: { namespace: 'acme', name: 'g' },
  spec: {
    nodes: [
      { name: 'a', task: { type: 't', queue: 'q' } },
      { name: 'b', job: jobOf('warned') },
      { name: 'c', job: jobOf('refused') },
    ],
    finally: [{ name: 'z', job: jobOf('refused') }],
  },
} as unknown as TaskDependency

const answers: Readonly<Record<string, Trial>> = {
  warned: { kind: 'Fine', warnings: ['would violate PodSecurity'] },
  refused: { kind: 'Invalid', refusal: refusedField },
}

function askedOf(change: Readonly<Record<string, Trial>> = {}) {
  const asked: string[] = []
  const dryRun = async (namespace: string, { spec }: JobTemplate): Promise<Trial> => {
    const image = spec.template.spec.containers[0]?.image ?? ''
    asked.push(`${namespace}/${image}`)
    return { ...answers, ...change }[image] ?? { kind: 'Unknown', warnings: [] }
  }
  return { asked, trials: tryJobs({ dryRun }, graph, new AbortController().signal) }
}

it('asks once for each Job, and names the field of each that is refused, and the node of each warning', async () => {
  const { asked, trials } = askedOf()
  const faultAt = (job: string) => {
    const field = `${job}.spec.backoffLimit`
    return { reason: 'TemplateInvalid', field, message: `Invalid value. Next: correct ${field}` }
  }
  expect(await trials).toEqual({
    faults: [faultAt('spec.nodes[2].job'), faultAt('spec.finally[0].job')],
    warnings: ['node b: would violate PodSecurity'],
    isComplete: true,
  })
  expect(asked).toEqual(['acme/warned', 'acme/refused', 'acme/refused'])
})

it('is not complete while the API server did not say what it thinks of one', async () => {
  const { trials } = askedOf({ warned: { kind: 'Unknown', warnings: [] } })
  expect(await trials).toMatchObject({ isComplete: false, warnings: [] })
})
