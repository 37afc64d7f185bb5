/** What a PromQL expression names, for checks against what is declared. Syntax is promtool's to judge. */

export type Named = {
  readonly metric: string
  /** Labels of its own selector. */
  readonly labels: readonly string[]
}

export type Expression = {
  readonly selected: readonly Named[]
  /** Labels of by, without, on, ignoring, group_left, group_right. */
  readonly grouped: readonly string[]
}

const words = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
const grouping = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
const token = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|[A-Za-z_:][\w:]*|[0-9][\w.]*|=~|!~|!=|==|\S/gu

export function readExpression(text: string): Expression {
  const tokens: readonly string[] = text.match(token) ?? []
  const selected: Named[] = []
  const grouped: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const word = tokens[at] ?? ''
    if (!/^[A-Za-z_:]/u.test(word)) continue
    const next = tokens[at + 1]
    if (grouping.has(word)) {
      if (next !== '(') continue
      const end = tokens.indexOf(')', at)
      grouped.push(...tokens.slice(at + 2, end).filter((each) => each !== ','))
      at = end
    } else if (next === '{') {
      const end = tokens.indexOf('}', at)
      const labels = tokens.slice(at + 2, end).filter((each, index, all) => /^[A-Za-z_]/u.test(each) && /^[=!]/u.test(all[index + 1] ?? ''))
      selected.push({ metric: word, labels })
      at = end
    } else if (!words.has(word) && next !== '(' && !isAggregation(word, next)) selected.push({ metric: word, labels: [] })
  }
  return { selected, grouped }
}

/** `sum by (…) (…)`: the name of an aggregation before its grouping. */
function isAggregation(word: string, next: string | undefined): boolean {
  return /^(?:sum|min|max|avg|count|topk|bottomk|quantile|stddev|group)$/u.test(word) && (next === 'by' || next === 'without')
}
