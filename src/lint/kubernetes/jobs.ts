/** What must hold between the fields of a Job. */
import { type Complaint, errorAt, isMissing, objectsAt, partOf, type Relation } from './complaint.ts'

export const job: Relation = (value, path) => {
  const { completions, parallelism, maxFailedIndexes, backoffLimitPerIndex, successPolicy, selector } = value
  const isIndexed = value['completionMode'] === 'Indexed'
  const onlyIndexed = { backoffLimitPerIndex, maxFailedIndexes, successPolicy }
  return [
    ...errorAt(
      `${path}.completions`,
      isIndexed && isMissing(completions) && !isMissing(parallelism)
        ? 'is required with completionMode: Indexed and parallelism'
        : undefined,
    ),
    ...Object.entries(onlyIndexed).flatMap(([field, own]) =>
      errorAt(`${path}.${field}`, isIndexed || isMissing(own) ? undefined : 'goes with completionMode: Indexed only'),
    ),
    ...errorAt(
      `${path}.backoffLimitPerIndex`,
      !isMissing(maxFailedIndexes) && isMissing(backoffLimitPerIndex) ? 'is required with maxFailedIndexes' : undefined,
    ),
    ...errorAt(
      `${path}.maxFailedIndexes`,
      isIndexed && typeof maxFailedIndexes === 'number' && typeof completions === 'number' && maxFailedIndexes > completions
        ? 'must be at most completions'
        : undefined,
    ),
    ...errorAt(
      `${path}.selector`,
      isMissing(selector) ? undefined : 'cannot be set: every run is a Job with pods of its own. Remove selector',
    ),
    ...(isMissing(value['podFailurePolicy']) ? [] : failurePolicyFaults(value, path)),
  ]
}

function failurePolicyFaults(value: Readonly<Record<string, unknown>>, path: string): readonly Complaint[] {
  const pod = partOf(partOf(value, 'template'), 'spec')
  const { podReplacementPolicy, backoffLimitPerIndex } = value
  const rules = objectsAt(partOf(value, 'podFailurePolicy')['rules'], `${path}.podFailurePolicy.rules`)
  const names = [...objectsAt(pod['containers'], ''), ...objectsAt(pod['initContainers'], '')].map((each) => each.value['name'])
  return [
    ...errorAt(`${path}.template.spec.restartPolicy`, pod['restartPolicy'] === 'Never' ? undefined : 'must be Never with podFailurePolicy'),
    ...errorAt(
      `${path}.podReplacementPolicy`,
      isMissing(podReplacementPolicy) || podReplacementPolicy === 'Failed' ? undefined : 'must be Failed with podFailurePolicy',
    ),
    ...rules.flatMap(({ value: rule, path: at }) => {
      const { containerName, operator, values } = partOf(rule, 'onExitCodes')
      const codes: readonly unknown[] = Array.isArray(values) ? values : []
      const isLost = typeof containerName === 'string' && !names.includes(containerName)
      return [
        ...errorAt(
          `${at}.action`,
          rule['action'] === 'FailIndex' && isMissing(backoffLimitPerIndex) ? 'needs backoffLimitPerIndex' : undefined,
        ),
        ...errorAt(`${at}.onExitCodes.containerName`, isLost ? 'is not the name of a container of the pod' : undefined),
        ...errorAt(`${at}.onExitCodes.values`, operator === 'In' && codes.includes(0) ? 'must not have 0, which is success' : undefined),
      ]
    }),
  ]
}
