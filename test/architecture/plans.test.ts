import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('everything that a controller understands is asked by taskmill lint too: src/plans/faults-of.ts names each understand…', () => {
  const namesIn = (path: string) => Array.from(readFileSync(path, 'utf8').matchAll(/\bunderstand[A-Z]\w*/gu), ([name]) => name)
  const exported = new Set(namesIn('src/plans/index.ts'))
  expect(exported.size).toBeGreaterThan(0)
  expect(new Set(namesIn('src/plans/faults-of.ts'))).toEqual(exported)
})
