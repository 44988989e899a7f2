; A counter that anyone may push: docs/machine.md, Writing a program.
;   selector 0, add: argument 1 is added; the event (1, new total, who) tells
;   selector 1, reset: by the account in cell OWNER alone
    .reg    book total
    .data   count
    .entries add reset

add:
    MOV     total, r2
    CALL    CONTEXT, PROGRAM            ; r1 = this program's cell
    LI      book, 1
    ADD     book, book, r1              ; its book, a data cell, is the one behind
    CALL    DLOAD, book, #count
    ADD     total, total, r1            ; above 2^64 - 1: a fault, and the transaction fails
    CALL    DSTORE, book, #count, total
    CALL    EVENT, 1, total, r6         ; r6 = the signer's cell
    SYS     EXIT

reset:
    CONST   total, OWNER
    JNE     r6, total, refuse
    CALL    CONTEXT, PROGRAM
    LI      book, 1
    ADD     book, book, r1
    CALL    DSTORE, book, #count, 0
    SYS     EXIT

refuse:
    SYS     FAIL
