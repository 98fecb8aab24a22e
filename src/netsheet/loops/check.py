from netsheet.loops.ir import Program
def check(program: Program) -> None: pass
