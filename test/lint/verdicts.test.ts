/** The verdicts of lint on the samples that test/integration gives to the API server, and where it sees what is wrong. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { kubernetesVersion } from '../../hack/cluster/binaries.ts'
import { lint } from '../../src/lint/index.ts'
import { samples } from '../integration/lint-samples.ts'

it.each(samples)('$title is $verdict', ({ manifest, verdict }) => {
  const { findings } = lint([{ path: 'a.yaml', text: manifest, isNamed: true }], { isComplete: false })
  const severities = new Set(findings.map(({ severity }) => severity))
  expect([severities.has('error') ? 'refused' : severities.has('warning') ? 'warned' : 'admitted', findings]).toEqual([verdict, findings])
  // Within a template, the place is the field itself or the closest one that there is.
  for (const { line, column } of findings) expect(manifest.split('\n')[line - 1]?.[column - 1]).toMatch(/\S/u)
})

it('the definitions are those of the Kubernetes that the tests run', () => {
  const { version } = JSON.parse(readFileSync('src/lint/kubernetes/definitions.json', 'utf8')) as { readonly version: string }
  // Otherwise: node hack/kubernetes-definitions.ts
  expect(version).toBe(kubernetesVersion)
})
