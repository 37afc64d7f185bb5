/** How many hand-written files a change touches: counted by who names the smallest kind and a condition of alerts, in code, texts or comments. */
import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it.each([
  // CONTRIBUTING.md, "What to touch", has these goals.
  { what: 'a kind', named: 'AlertChannel', spellings: /alert-?channel/iu, goal: 12 },
  { what: 'a condition of alerts', named: 'queueLatency', spellings: /queue-?latency/iu, goal: 5 },
])('$what, such as $named, is named in at most $goal files', ({ spellings, goal }) => {
  const files = globSync('src/**/*.{ts,lua}').filter((path) => !path.endsWith('.test.ts') && spellings.test(readFileSync(path, 'utf8')))
  expect(files.length).toBeGreaterThan(0)
  expect(files.slice(goal), `${files.length} files: ${files.join(', ')}`).toEqual([])
})
