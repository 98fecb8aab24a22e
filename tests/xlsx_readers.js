// Every cell of a workbook as exceljs or SheetJS reads it: {sheet: {A1: value}} on standard output.
// node xlsx_readers.js exceljs|xlsx BOOK
const [, , reader, book] = process.argv;

const plain = (value) => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object') {
    if ('text' in value) return plain(value.text);
    if ('richText' in value) return value.richText.map((part) => part.text).join('');
    return String(value.error ?? value);
  }
  return value;
};

async function exceljs() {
  const ExcelJS = require('exceljs');
  const found = {};
  const workbook = new ExcelJS.Workbook();
  await workbook.xlsx.readFile(book);
  for (const sheet of workbook.worksheets) {
    const cells = {};
    sheet.eachRow((row) => row.eachCell((cell) => {
      if (cell.master === cell) cells[cell.address] = plain(cell.formula ? cell.result : cell.value);
    }));
    found[sheet.name] = cells;
  }
  return found;
}

function sheetjs() {
  const XLSX = require('xlsx');
  const workbook = XLSX.readFile(book);
  const found = {};
  for (const name of workbook.SheetNames) {
    const cells = {};
    for (const [address, cell] of Object.entries(workbook.Sheets[name]))
      if (!address.startsWith('!')) cells[address] = plain(cell.v);
    found[name] = cells;
  }
  return found;
}

Promise.resolve(reader === 'exceljs' ? exceljs() : sheetjs())
  .then((found) => process.stdout.write(JSON.stringify(found)));
