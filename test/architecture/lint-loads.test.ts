import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { expect, it } from 'vitest'
import { parseFile } from './parse.ts'

/** All that runs when a file is loaded: its imports and theirs, but for types. */
function loadedBy(path: string, loaded = new Set<string>()): ReadonlySet<string> {
  if (loaded.has(path)) return loaded
  loaded.add(path)
  for (const { specifier, typeOnly } of parseFile(path, readFileSync(path, 'utf8')).imports) {
    if (typeOnly) continue
    if (specifier.startsWith('.')) loadedBy(posix.join(posix.dirname(path), specifier), loaded)
    else loaded.add(specifier)
  }
  return loaded
}

it('lint loads nothing of Kubernetes, Redis or the running operator', () => {
  const loaded = [...loadedBy('src/main/lint.ts')]
  expect(loaded).toContain('yaml')
  expect(loaded.filter((each) => /^(?:bullmq|ioredis|undici|@kubernetes\/)/u.test(each))).toEqual([])
  expect(loaded.filter((each) => /^src\/(?:kube|broker|runtime|services|controllers)\//u.test(each))).toEqual([])
})
