// SPDX-License-Identifier: Apache-2.0
// Everything that is in a Parquet file, as JSON: node blocks.mjs duckdb|hyparquet FILE…
// A line per file: {"file", "groups": rows of each row group, "columns": [{"name", "type", "encodings", "codecs",
// "bloom", "values"}]}, the type in the words of docs/formats/block.md. A value
// is null, text for STRING, decimal digits for integers and times (ns), 16 hex digits for the bits of a
// double, "0" or "1" for booleans, hex digits for other bytes.
// node blocks.mjs sql DIR VIEWS QUERY…: runs the file of views over a data directory; a line of rows per query.
// node blocks.mjs ask DIR VIEWS: the same for queries from stdin, each a line of JSON text; a query that fails
// gives {"error"}.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { DuckDBInstance } from '@duckdb/node-api'
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const quoteName = (s) => '"' + s.replaceAll('"', '""') + '"'
const quoteText = (s) => "'" + s.replaceAll("'", "''") + "'"

function doubleBits(v) {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, v)
  return Number.isNaN(v) ? '7ff8000000000000' : view.getBigUint64(0).toString(16).padStart(16, '0')
}

// The type in the words of docs/formats/block.md.
function typeOf(e) {
  const logical = e.logical_type?.type
  const plain = {
    BOOLEAN: 'bool', DOUBLE: 'double', BYTE_ARRAY: logical === 'STRING' ? 'text' : 'bytes',
    FIXED_LEN_BYTE_ARRAY: 'id' + e.type_length,
    INT32: logical === 'INTEGER' && !e.logical_type.isSigned ? 'u32' : 'i32',
    INT64: logical === 'TIMESTAMP' ? 'time' : 'i64',
  }[e.type]
  if (logical === 'TIMESTAMP' && (e.logical_type.unit !== 'NANOS' || e.logical_type.isAdjustedToUTC))
    throw new Error(`${e.name}: not a time as block.md has it`)
  return plain + (e.repetition_type === 'OPTIONAL' ? '?' : '')
}

async function open(file) {
  const bytes = readFileSync(file)
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const metadata = await parquetMetadataAsync(buffer)
  const columns = metadata.schema.slice(1).map((e) => ({ name: e.name, type: typeOf(e) }))
  for (const [i, c] of columns.entries()) {
    const chunks = metadata.row_groups.map((g) => g.columns[i].meta_data)
    c.encodings = [...new Set(chunks.flatMap((m) => m.encodings))].sort()
    c.codecs = [...new Set(chunks.map((m) => m.codec))].sort()
    c.bloom = chunks.some((m) => m.bloom_filter_offset !== undefined)
  }
  return { buffer, metadata, columns, groups: metadata.row_groups.map((g) => Number(g.num_rows)) }
}

// --- hyparquet -------------------------------------------------------------------------------------

function fromHyparquet(type, v) {
  if (v === null || v === undefined) return null
  if (type.startsWith('double')) return doubleBits(v)
  if (type.startsWith('bool')) return v ? '1' : '0'
  if (type.startsWith('u32')) return String(v >>> 0)
  if (/^(i32|i64|time)/.test(type)) return String(v)
  return typeof v === 'string' ? v : hex(v)
}

async function readHyparquet(f) {
  const parsers = { timestampFromNanoseconds: (v) => v }
  const rows = await parquetReadObjects({ file: f.buffer, metadata: f.metadata, compressors, utf8: false, parsers })
  return f.columns.map((c) => rows.map((row) => fromHyparquet(c.type, row[c.name])))
}

// --- DuckDB ----------------------------------------------------------------------------------------

function duckExpression({ name, type }) {
  const column = quoteName(name)
  if (type.startsWith('double') || type.startsWith('text')) return column
  if (type.startsWith('bool')) return `cast(cast(${column} as integer) as varchar)`
  if (type.startsWith('time')) return `cast(epoch_ns(${column}) as varchar)`
  if (/^[iu](32|64)/.test(type)) return `cast(${column} as varchar)`
  return `lower(hex(${column}))`
}

async function readDuck(connection, file, columns) {
  const list = columns.map((c, i) => `${duckExpression(c)} as c${i}`).join(', ')
  const result = await connection.runAndReadAll(
    `select ${list} from read_parquet(${quoteText(file)}, file_row_number=true) order by file_row_number`)
  const values = result.getColumns()
  return columns.map((c, i) =>
    (values[i] ?? []).map((v) => (v !== null && c.type.startsWith('double') ? doubleBits(v) : v)))
}

// ---------------------------------------------------------------------------------------------------

const print = (what) => process.stdout.write(JSON.stringify(what) + '\n')
const [how, ...rest] = process.argv.slice(2)
const connection = how === 'hyparquet' ? null : await (await DuckDBInstance.create(':memory:')).connect()
if (how === 'sql' || how === 'ask') {
  const [dir, views, ...queries] = rest
  await connection.run(`set variable takt = ${quoteText(dir)}`)
  await connection.run(readFileSync(views, 'utf8'))
  const rows = async (query) => (await connection.runAndReadAll(query)).getRowObjectsJson()
  for (const query of queries) print(await rows(query))
  if (how === 'ask')
    for await (const line of createInterface({ input: process.stdin }))
      print(await rows(JSON.parse(line)).catch((e) => ({ error: e.message })))
} else {
  for (const file of rest) {
    const f = await open(file)
    const values = connection ? await readDuck(connection, file, f.columns) : await readHyparquet(f)
    print({ file, groups: f.groups, columns: f.columns.map((c, i) => ({ ...c, values: values[i] })) })
  }
}
connection?.closeSync()
