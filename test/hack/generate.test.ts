import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { generatedFiles } from '../../hack/generate/files.ts'
import { buildCrd, kinds } from '../../src/api/index.ts'

it('writes CRDs that say the same to readers of YAML 1.1, such as kubectl and helm, to which a bare No is a boolean', async () => {
  const files = await generatedFiles((path) => readFile(path, 'utf8'))
  for (const crd of kinds.map(buildCrd)) {
    const text = files.get(`crds/${crd.metadata.name}.yaml`) ?? ''
    expect(parse(text, { version: '1.1' })).toEqual(crd)
    // The chart's file holds the same schema between its lines of template.
    const template = files.get(`charts/taskmill/templates/crds/${crd.metadata.name}.yaml`) ?? ''
    const spec = template.slice(template.indexOf('\nspec:')).replace(/\{\{- end \}\}\s*$/u, '')
    expect(parse(spec, { version: '1.1' })).toEqual({ spec: crd.spec })
  }
})
